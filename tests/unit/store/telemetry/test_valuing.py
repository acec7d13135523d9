import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, cast

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.store.ports import KeptSpans, Parameter, RetentionDays, Row, ValuedShare
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.retention import ATTEMPTS_MAX, Forgetting
from homeostat_server.store.telemetry.session import Session
from homeostat_server.store.telemetry.valuing import Day, keep_valued
from tests import otlp
from tests.otlp import NOW_NS
from tests.segment_files import number_at, write_segment
from tests.unit.store.telemetry.conftest import OpenStore

DAY_S: Final = 86_400
NOW_S: Final = NOW_NS // 10**9
SHARE: Final = ValuedShare(slow=0.02, traces=5)
DAYS: Final = RetentionDays(ordinary=14, valued=30, share=SHARE)
AGE_DAYS: Final = 20
NUMBERS: Final = count()


@dataclass(frozen=True, kw_only=True)
class Trace:
    """Hold a trace of a root and a child."""

    number: int
    operation: str
    duration_ns: int = 1_000_000
    failed: bool = False
    trace_state: str = ""

    @property
    def spans(self) -> list[Span]:
        """Return its spans; the child fails when the trace does."""
        identity = self.number.to_bytes(16)
        root = otlp.span(
            trace_id=identity,
            span_id=b"rootroot",
            name=self.operation,
            trace_state=self.trace_state,
            start_time_unix_nano=NOW_NS,
            end_time_unix_nano=NOW_NS + self.duration_ns,
        )
        child = otlp.span(
            trace_id=identity,
            span_id=b"childish",
            parent_span_id=b"rootroot",
            name="child",
            trace_state=self.trace_state,
            start_time_unix_nano=NOW_NS - 1,
            status=Status(code=Status.STATUS_CODE_ERROR) if self.failed else Status(),
        )
        return [root, child]


TRACES: Final = [
    *(Trace(number=n, operation="usual", duration_ns=10**6 + n) for n in range(1, 101)),
    *(Trace(number=n, operation="usual", failed=True) for n in range(101, 111)),
    *(Trace(number=n, operation="usual", duration_ns=10**9) for n in range(111, 113)),
    *(Trace(number=n, operation="weighty", trace_state=f"ot=th:{n % 8:x}") for n in range(201, 241)),
    *(Trace(number=n, operation="rare") for n in range(301, 304)),
    *(Trace(number=n, operation="broken", failed=True) for n in range(401, 408)),
]


def insert(store: EmbeddedStore, folder: Path, traces: list[Trace], *, age_days: int = AGE_DAYS) -> int:
    """Store traces that were received so long ago, and return their segment's number."""
    number = number_at(NOW_NS - age_days * DAY_S * 10**9 + next(NUMBERS) * 10**6)
    spans = [span for trace in traces for span in trace.spans]
    store.insert_segment(write_segment(folder, [("tenant", otlp.traces(*spans))], number=number))
    return number


@dataclass(frozen=True)
class Kept:
    """Hold what is there of a trace."""

    spans: int
    weights: frozenset[float]


def stored(store: EmbeddedStore, retention: str) -> dict[int, Kept]:
    """Return what there is of each trace in a class, by the traces' numbers."""
    rows = store._upkeep.rows(
        "SELECT trace_id, count() AS spans, groupUniqArray(weight) AS weights FROM telemetry.spans"
        f" WHERE retention = '{retention}' GROUP BY trace_id",
        {},
    )
    return {
        int.from_bytes(cast("bytes", row["trace_id"])): Kept(
            cast("int", row["spans"]), frozenset(cast("list[float]", row["weights"]))
        )
        for row in rows
    }


def requests(store: EmbeddedStore) -> dict[object, object]:
    """Return how many requests there were of each operation, by the weights of roots."""
    rows = store._upkeep.rows(
        "SELECT name, sum(weight) AS requests FROM telemetry.spans WHERE name != 'child' GROUP BY name", {}
    )
    return {row["name"]: pytest.approx(row["requests"], rel=1e-9) for row in rows}


def test_what_has_a_value_is_kept_and_the_rest_is_weighed(opening: OpenStore, tmp_path: Path) -> None:
    """Errors, slow ones and some of each operation stay whole for longer; counts of requests stay what they were."""
    store = opening(retention=DAYS)
    insert(store, tmp_path, TRACES)
    before = requests(store)
    assert store.drop_expired(NOW_S) == 1
    assert stored(store, "ordinary") == {}
    kept = stored(store, "valued")
    assert requests(store) == before
    assert all(trace.spans == 2 for trace in kept.values())
    certain = {trace.number for trace in TRACES if trace.failed or trace.duration_ns == 10**9}
    assert all(kept[number].weights == {1.0} for number in certain)
    of_operation = {
        operation: len([t for t in TRACES if t.operation == operation and t.number in kept and t.number not in certain])
        for operation in ("usual", "weighty", "rare", "broken")
    }
    assert of_operation == {"usual": 5, "weighty": 5, "rare": 3, "broken": 0}
    assert kept[301].weights == {1.0}
    assert {weight for n in range(1, 101) if n in kept for weight in kept[n].weights} == {100 / 5}
    assert store.statistics().kept == KeptSpans(spans=2 * len(TRACES), kept=2 * len(kept))
    assert store.drop_expired(NOW_S) == 0
    assert store._upkeep.rows("SELECT * FROM system.mutations", {}) == []
    assert store._upkeep.rows("SELECT 1 FROM system.databases WHERE name = 'valuing'", {}) == []


def test_valued_rows_go_when_their_time_is_over(opening: OpenStore, tmp_path: Path) -> None:
    """The second time nothing is chosen; a day that is over for both classes goes at once."""
    store = opening(retention=DAYS)
    insert(store, tmp_path, TRACES[:20])
    insert(store, tmp_path, TRACES[20:40], age_days=40)
    store.drop_expired(NOW_S)
    assert 0 < len(stored(store, "valued")) < 20
    store.drop_expired(NOW_S + 20 * DAY_S)
    assert stored(store, "valued") == stored(store, "ordinary") == {}


def test_equal_classes_keep_nothing_for_longer(opening: OpenStore, tmp_path: Path) -> None:
    """Who sets one number of days for both gets just that."""
    store = opening(retention=RetentionDays(ordinary=14, valued=14))
    insert(store, tmp_path, TRACES[:20])
    store.drop_expired(NOW_S)
    assert stored(store, "valued") == stored(store, "ordinary") == {}


class Dying(Session):
    """Pass statements on until one of them is the last of a process that is killed there: nothing is tidied up."""

    def __init__(self, session: Session, *, statements: int) -> None:
        """Let so many statements pass."""
        self._inner = session
        self._left = statements

    def _live(self) -> None:
        if self._left <= 0:
            raise StoreUnavailable("run a statement")
        self._left -= 1

    def execute(self, sql: str) -> None:
        """Run a statement or die."""
        self._live()
        self._inner.execute(sql)

    def shrink(self, sql: str) -> None:
        """Run a statement or die."""
        self._live()
        self._inner.shrink(sql)

    def rows(self, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question or die."""
        self._live()
        return self._inner.rows(sql, parameters)

    def close(self) -> None:
        """Leave the inner session open."""


def test_a_kill_at_any_statement_loses_and_doubles_nothing(opening: OpenStore, tmp_path: Path) -> None:
    """All ordinary rows are there until they go, and doing it again gives what it would have given at first."""
    store = opening(retention=DAYS)
    insert(store, tmp_path, TRACES)
    before, all_of_them = requests(store), stored(store, "ordinary")
    day = Day(number=_day_of(store))
    seen: list[dict[int, Kept]] = []
    for statements in count(1):
        dying = Dying(store._upkeep, statements=statements)
        try:
            keep_valued(dying, day, SHARE)
        except StoreUnavailable:
            assert stored(store, "ordinary") == all_of_them
            seen.append(stored(store, "valued"))
        else:
            break
    assert statements > 15
    # Now both are there, as after a kill between the two last statements.
    kept = stored(store, "valued")
    assert all(valued in ({}, kept) for valued in seen)
    store.drop_expired(NOW_S)
    assert stored(store, "valued") == kept
    assert stored(store, "ordinary") == {}
    assert requests(store) == before


def _day_of(store: EmbeddedStore) -> str:
    rows = store._upkeep.rows("SELECT DISTINCT toString(toYYYYMMDD(received)) AS day FROM telemetry.spans", {})
    return cast("bytes", rows[0]["day"]).decode()


def test_a_segment_that_comes_after_its_day_joins_what_was_kept(opening: OpenStore, tmp_path: Path) -> None:
    """One that was left over for weeks: its spans are chosen from, and what was kept before stays."""
    store = opening(retention=DAYS)
    insert(store, tmp_path, TRACES)
    store.drop_expired(NOW_S)
    first = stored(store, "valued")
    late = [Trace(number=n, operation="late") for n in range(501, 504)]
    insert(store, tmp_path, late)
    store.drop_expired(NOW_S)
    assert stored(store, "valued") == first | {trace.number: Kept(2, frozenset({1.0})) for trace in late}


def test_a_full_disk_drops_all(opening: OpenStore, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Room for everything else is worth more than the valued spans of a day; it is counted and told."""
    store = opening(retention=DAYS)
    insert(store, tmp_path, TRACES)

    def never() -> Session:
        raise AssertionError("nothing is made on a full disk")

    forgetting = Forgetting(store._upkeep, DAYS, open_session=never, free_bytes=lambda: 32 << 20)
    with caplog.at_level(logging.WARNING):
        assert forgetting.drop_expired(NOW_S) == 1
    assert "no room" in caplog.text
    assert forgetting.kept == KeptSpans(days_lost=1)
    assert stored(store, "valued") == stored(store, "ordinary") == {}


def test_what_cannot_be_kept_is_dropped_in_the_end(opening: OpenStore, tmp_path: Path) -> None:
    """A failure may pass, so it is tried again; a disk that fills up is worse."""
    store = opening(retention=DAYS)
    insert(store, tmp_path, TRACES)
    forgetting = Forgetting(
        store._upkeep, DAYS, open_session=lambda: Dying(store._upkeep, statements=3), free_bytes=lambda: 1 << 40
    )
    for _ in range(ATTEMPTS_MAX - 1):
        with pytest.raises(StoreUnavailable):
            forgetting.drop_expired(NOW_S)
        assert len(stored(store, "ordinary")) == len(TRACES)
    assert forgetting.drop_expired(NOW_S) == 1
    assert forgetting.kept == KeptSpans(days_lost=1)
    assert stored(store, "valued") == stored(store, "ordinary") == {}
