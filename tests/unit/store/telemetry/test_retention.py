from datetime import UTC, datetime
from pathlib import Path

import pytest

from homeostat_server.store.ports import RetentionDays
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.retention import Partition, is_expired, parse_partition
from tests import otlp
from tests.otlp import NOW_NS
from tests.segment_files import number_at, write_segment
from tests.unit.store.telemetry.conftest import OpenStore

DAYS = RetentionDays(ordinary=14, valued=30)
NOW_S = NOW_NS // 10**9
DAY_S = 86_400


def day(age_days: int) -> str:
    """Return the day so long ago as it stands in a partition."""
    return datetime.fromtimestamp(NOW_S - age_days * DAY_S, UTC).strftime("%Y%m%d")


@pytest.mark.parametrize(
    ("table", "retention", "kept_days"),
    [
        ("spans", "ordinary", 14),
        ("spans", "valued", 30),
        ("logs", "ordinary", 14),
        ("trace_bounds", "ordinary", 30),
        ("trace_bounds", "valued", 30),
    ],
)
def test_a_partition_stays_as_many_whole_days_as_its_class(table: str, retention: str, kept_days: int) -> None:
    """The day of receipt is not counted; what describes others stays as long as the longest of them."""
    expired = [
        is_expired(Partition(table=table, day=day(age), retention=retention), NOW_S, DAYS)
        for age in (0, kept_days, kept_days + 1)
    ]
    assert expired == [False, False, True]


def test_the_longer_class_need_not_be_the_valued_one() -> None:
    """Who keeps ordinary rows longer keeps what describes them longer, too."""
    days = RetentionDays(ordinary=40, valued=10)
    assert days.longest == 40
    assert is_expired(Partition(table="spans", day=day(20), retention="valued"), NOW_S, days)
    assert not is_expired(Partition(table="spans", day=day(20), retention="ordinary"), NOW_S, days)
    assert not is_expired(Partition(table="trace_bounds", day=day(20), retention="valued"), NOW_S, days)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(20260101,0)", ("20260101", "ordinary")),
        ("(20260101, 1)", ("20260101", "valued")),
        ("(20260101,'valued')", ("20260101", "valued")),
        ("tuple()", None),
        ("(20260101,2)", None),
        ("(20260101,'other')", None),
        ("20260101", None),
    ],
)
def test_partitions_are_read_as_the_engine_writes_them(text: str, expected: tuple[str, str] | None) -> None:
    """A partition of another shape is nobody's to drop."""
    partition = parse_partition("spans", text)
    assert (partition and (partition.day, partition.retention)) == expected


def insert_aged(store: EmbeddedStore, folder: Path, *, age_days: int) -> None:
    """Store a span and a log record that were received so long ago, and the span again as a valued one."""
    number = number_at(NOW_NS - age_days * DAY_S * 10**9)
    store.insert_segment(write_segment(folder, [("tenant", otlp.traces(otlp.span()))], number=number))
    store.insert_segment(write_segment(folder, [("tenant", otlp.logs(otlp.record()))], number=number + 1))
    store._upkeep.execute(
        "INSERT INTO telemetry.spans SELECT * REPLACE ('valued' AS retention)"
        f" FROM (SELECT * FROM telemetry.spans WHERE segment = {number})"
    )


def kept(store: EmbeddedStore, table: str) -> set[tuple[object, object]]:
    """Return the age in days and class of what a table holds."""
    rows = store._upkeep.rows(
        f"SELECT DISTINCT intDiv({NOW_S} - toUnixTimestamp(received), {DAY_S}) AS age,"
        f" toString(retention) AS class FROM telemetry.{table}",
        {},
    )
    return {(row["age"], row["class"]) for row in rows}


def test_expired_partitions_are_dropped_and_no_others(opening: OpenStore, tmp_path: Path) -> None:
    """Ordinary rows go after 14 days, valued and describing ones after 30, by dropping and not by mutation."""
    store = opening(retention=DAYS)
    for age_days in (0, 10, 20, 40):
        insert_aged(store, tmp_path, age_days=age_days)
    dropped = store.drop_expired(NOW_S)
    assert kept(store, "spans") == {
        *((age, b"ordinary") for age in (0, 10)),
        *((age, b"valued") for age in (0, 10, 20)),
    }
    assert kept(store, "logs") == {(0, b"ordinary"), (10, b"ordinary")}
    assert kept(store, "trace_bounds") == {(age, b"ordinary") for age in (0, 10, 20)}
    assert dropped == 3 + 2 + 1
    assert store.drop_expired(NOW_S) == 0
    assert store._upkeep.rows("SELECT * FROM system.mutations", {}) == []


def time_to_live(store: EmbeddedStore) -> set[str]:
    """Return the TTL expressions of the tables."""
    sql = "SELECT extract(engine_full, 'TTL (.*?) SETTINGS') AS ttl FROM system.tables WHERE database = 'telemetry'"
    return {ttl.decode() for row in store._upkeep.rows(sql, {}) if isinstance(ttl := row["ttl"], bytes)}


def test_a_changed_retention_is_applied_without_rewriting(opening: OpenStore, tmp_path: Path) -> None:
    """The next start changes the TTL of what describes others; old rows are not touched, and no mutation begins."""
    first = opening(retention=DAYS)
    insert_aged(first, tmp_path, age_days=0)
    assert time_to_live(first) == {"", "toDateTime(last_seen) + toIntervalDay(31)"}
    first.close()
    second = opening(retention=RetentionDays(ordinary=90, valued=30))
    assert time_to_live(second) == {"", "toDateTime(last_seen) + toIntervalDay(91)"}
    assert second._upkeep.rows("SELECT * FROM system.mutations", {}) == []
    assert second._upkeep.rows("SELECT count() AS n FROM telemetry.spans", {}) == [{"n": 2}]
    insert_aged(second, tmp_path, age_days=20)
    assert second.drop_expired(NOW_S) == 0
