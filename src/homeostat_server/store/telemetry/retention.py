"""How rows leave: whole partitions by day and class, derived rows some time after they were last seen."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from homeostat_server.store.ports import RetentionDays
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.session import Session
from homeostat_server.store.telemetry.tables import DATABASE, Retention

_PARTITION: Final = re.compile(r"\((\d{8}),(\d+|'\w+')\)")
_CLASSES: Final = {"0": "ordinary", "1": "valued", "'ordinary'": "ordinary", "'valued'": "valued"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """Name one partition of one table."""

    table: str
    day: str
    retention: str

    def drop_statement(self) -> str:
        """Return the statement that drops it."""
        return f"ALTER TABLE {DATABASE}.{self.table} DROP PARTITION ({self.day}, '{self.retention}')"


def parse_partition(table: str, text: str) -> Partition | None:
    """Return the partition that the engine writes so, None when it is not of our shape."""
    match = _PARTITION.fullmatch(text.replace(" ", ""))
    if match is None or match.group(2) not in _CLASSES:
        return None
    return Partition(table=table, day=match.group(1), retention=_CLASSES[match.group(2)])


def is_expired(partition: Partition, now_s: int, days: RetentionDays) -> bool:
    """Say whether every row of a partition was received longer ago than its class is kept."""
    of_class = days.valued if partition.retention == "valued" else days.ordinary
    kept_days = days.longest if _is_derived(partition.table) else of_class
    oldest = datetime.fromtimestamp(now_s, UTC) - timedelta(days=kept_days)
    return partition.day < oldest.strftime("%Y%m%d")


def _is_derived(table: str) -> bool:
    return any(entry.name == table and entry.derived for entry in CATALOGUE)


def expired_partitions(engine: Session, now_s: int, days: RetentionDays) -> list[Partition]:
    """Return the partitions whose time is over."""
    rows = engine.rows(
        "SELECT DISTINCT table, partition FROM system.parts"
        f" WHERE active AND database = '{DATABASE}' ORDER BY table, partition",
        {},
    )
    return [partition for partition in _partitions(rows) if is_expired(partition, now_s, days)]


def _partitions(rows: Iterable[dict[str, object]]) -> Iterable[Partition]:
    for row in rows:
        partition = parse_partition(_text(row["table"]), _text(row["partition"]))
        if partition is not None:
            yield partition


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def apply_time_to_live(engine: Session, days: RetentionDays) -> None:
    """Let rows that describe others go a day after the last row they can describe; what is so already stays untouched.

    Each ALTER writes the table's definition anew, and a start that changes nothing should write nothing.
    """
    definitions = {
        _text(row["name"]): _text(row["engine_full"])
        for row in engine.rows(f"SELECT name, engine_full FROM system.tables WHERE database = '{DATABASE}'", {})
    }
    expression = f"toDateTime(last_seen) + toIntervalDay({days.longest + 1})"
    for table in CATALOGUE:
        if table.retention is Retention.LAST_SEEN and f"TTL {expression} " not in definitions[table.name]:
            engine.execute(f"ALTER TABLE {DATABASE}.{table.name} MODIFY TTL {expression}")
