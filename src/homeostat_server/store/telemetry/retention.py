"""How rows leave: whole partitions by day and class, derived rows some time after they were last seen."""

import logging
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from homeostat_server.exceptions import HomeostatError
from homeostat_server.store.ports import KeptSpans, RetentionDays
from homeostat_server.store.telemetry.catalogue import CATALOGUE, SPANS
from homeostat_server.store.telemetry.session import FREE_BYTES_MIN, Session
from homeostat_server.store.telemetry.tables import DATABASE, Retention
from homeostat_server.store.telemetry.valuing import ORDINARY, VALUED, Day, keep_valued

_LOG: Final = logging.getLogger(__name__)

ATTEMPTS_MAX: Final = 3
"""At keeping spans of one day; then they go with the rest, for a disk that fills up keeps nothing at all."""

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


class Forgetting:
    """Let go of what is over its time; what it keeps of that is made in a session of its own."""

    def __init__(
        self,
        engine: Session,
        days: RetentionDays,
        *,
        open_session: Callable[[], Session],
        free_bytes: Callable[[], int],
    ) -> None:
        """Take a session to drop with, what opens one to keep with, and what says how much room the disk has."""
        self._engine = engine
        self._days = days
        self._open = open_session
        self._free_bytes = free_bytes
        self._failures: Counter[str] = Counter()
        self._kept = KeptSpans()

    @property
    def kept(self) -> KeptSpans:
        """Return what was kept since the start."""
        return self._kept

    def drop_expired(self, now_s: int) -> int:
        """Drop what is over its time, and keep of it what has a value; see the port."""
        expired = expired_partitions(self._engine, now_s, self._days)
        # What keeping needs may fail: everything else has gone by then.
        for partition in sorted(expired, key=self._is_chosen_from):
            if self._is_chosen_from(partition) and not self._is_over(partition, now_s):
                self._keep(partition)
            self._engine.shrink(partition.drop_statement())
        return len(expired)

    def _is_chosen_from(self, partition: Partition) -> bool:
        return partition.table == SPANS.name and partition.retention == ORDINARY

    def _is_over(self, partition: Partition, now_s: int) -> bool:
        """Say whether the day is over for valued rows too, or soon is for all."""
        valued = replace(partition, retention=VALUED)
        return self._days.valued <= self._days.ordinary or is_expired(valued, now_s, self._days)

    def _keep(self, partition: Partition) -> None:
        if not self._has_room(partition):
            _LOG.warning("the disk has no room to keep spans of %s that have a value: all are dropped", partition.day)
            self._kept = replace(self._kept, days_lost=self._kept.days_lost + 1)
            return
        try:
            kept = self._kept_of(partition)
        except HomeostatError as error:
            self._failures[partition.day] += 1
            if self._failures[partition.day] < ATTEMPTS_MAX:
                raise
            _LOG.warning("spans of %s that have a value were not kept: %s", partition.day, error)
            kept = KeptSpans(days_lost=1)
        self._kept = KeptSpans(
            spans=self._kept.spans + kept.spans,
            kept=self._kept.kept + kept.kept,
            days_lost=self._kept.days_lost + kept.days_lost,
        )

    def _kept_of(self, partition: Partition) -> KeptSpans:
        session = self._open()
        try:
            return keep_valued(session, Day(number=partition.day), self._days.share)
        finally:
            session.close()

    def _has_room(self, partition: Partition) -> bool:
        """Say whether the disk has room for the worst case, in which all is kept."""
        condition = f"database = '{DATABASE}' AND table = '{partition.table}' AND active"
        sql = (
            f"SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE {condition}"
            f" AND startsWith(partition, '({partition.day},')"
        )
        needed = self._engine.rows(sql, {})[0]["n"]
        assert isinstance(needed, int)
        return self._free_bytes() >= needed + FREE_BYTES_MIN


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
