"""The telemetry store on an embedded engine: one folder, one process. It knows no protocol and no HTTP.

Invariant: a row is visible only to sessions of its tenant and to the engine's own; a segment's rows are there once.
"""

import fcntl
import shutil
import threading
from collections.abc import Callable, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

import pyarrow as pa

from homeostat_server.exceptions import (
    DataFolderLocked,
    DataFolderUnusable,
    HomeostatError,
    InvalidRequest,
    SegmentRejected,
    StoreUnavailable,
)
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant, parse_tenant
from homeostat_server.store.ports import (
    Parameter,
    QueryLimits,
    RetentionDays,
    Row,
    StoreStatistics,
    TableSize,
    TouchedBucket,
    WatchedReader,
)
from homeostat_server.store.telemetry.asking import Asker, WatchedSessions
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.engine_config import (
    ENGINE_SCOPE,
    INSERT_NICENESS,
    READ_NICENESS,
    READER_ROLE,
    SCOPE_SETTING,
    EngineBounds,
    schema_file,
    write_engine_config,
)
from homeostat_server.store.telemetry.hands import Hands
from homeostat_server.store.telemetry.inserts import DERIVED, ROWS, TABLES
from homeostat_server.store.telemetry.layouts import MIGRATIONS
from homeostat_server.store.telemetry.migrations import migrate
from homeostat_server.store.telemetry.readers import ReaderPool
from homeostat_server.store.telemetry.retention import Forgetting, apply_time_to_live
from homeostat_server.store.telemetry.session import Session
from homeostat_server.store.telemetry.summaries import clear_incoming, insert_summaries, touched_buckets
from homeostat_server.store.telemetry.tables import DATABASE
from homeostat_server.store.watched import QueryWatch

WRITER_SETTINGS: Final[dict[str, str | int]] = {
    SCOPE_SETTING: ENGINE_SCOPE,
    # One thread an insert: three signals, merges and reads share the cores.
    "max_threads": 1,
    "max_insert_threads": 1,
    "os_threads_nice_value_query": INSERT_NICENESS,
    # A segment becomes one part a table, except that a giant one is cut so that its memory stays bounded.
    "max_insert_block_size": 1_000_000,
    "min_insert_block_size_rows": 1_000_000,
    "min_insert_block_size_bytes": 128 * 1024 * 1024,
    # Merging the steps of a plan copies the wide nested types of a segment around: 20 to 50 ms a statement, whatever
    # its size, and nothing is gained.
    "query_plan_merge_expressions": 0,
    # Tables hold `source` as LowCardinality(UInt64): hundreds of values in millions of rows, 8 bytes each otherwise.
    "allow_suspicious_low_cardinality_types": 1,
    # Changing a TTL must not rewrite old parts.
    "materialize_ttl_after_modify": 0,
}

WRITERS: Final = {Signal.TRACES: 1, Signal.LOGS: 1, Signal.METRICS: 2}
"""Connections that insert. Points go into five tables, and each statement decodes the whole segment on one thread: with
one connection 126,000 points/s is the end, with a core to spare (measured)."""

LOCK_NAME: Final = "status"
"""The file in its folder that the engine holds an exclusive `flock` on while it runs."""

PATTERN_CHARACTERS: Final = frozenset("*?{}")
"""In the path of a file the engine takes these as a pattern, which matches other files or, without a word, none."""

FOLDER_CHARACTERS: Final = PATTERN_CHARACTERS | frozenset("&:\\")
"""In the path of a folder these end or divide it: the engine opens another one, or not its configuration."""

KEEPER_MEMORY_BYTES_MIN: Final = 256 * 1024 * 1024
"""Of the session that moves spans from class to class: it holds a million rows' traces, and a block of rows."""

READER_THREADS_MAX: Final = 2
"""Of one query, so that one wide question does not take all cores from ingest."""

SHARED_READS: Final[dict[str, str | int]] = {
    "merge_tree_min_rows_for_concurrent_read": 2 * 8192,
    "merge_tree_min_bytes_for_concurrent_read": 1024 * 1024,
}
"""From how much on a query reads with all its threads: the engine's own bounds are ten times that, and five minutes of
spans then take 56 ms instead of 33 (measured)."""

ARROW_SETTINGS: Final[dict[str, str | int]] = {
    "output_format_arrow_string_as_string": 0,
    "output_format_arrow_low_cardinality_as_dictionary": 0,
    "output_format_arrow_fixed_string_as_fixed_byte_array": 1,
}
"""Text leaves as bytes: a value may be any bytes, and it has to come back as it was sent."""


class EmbeddedStore:
    """Implement `homeostat_server.store.ports.TelemetryStore` on an engine inside this process."""

    def __init__(
        self,
        folder: Path,
        *,
        bounds: EngineBounds,
        limits: QueryLimits,
        readers_max: int,
        retention: RetentionDays,
        configure: Callable[[Path, EngineBounds], Path] = write_engine_config,
    ) -> None:
        """Open the folder, bring its layout up to date and check that every table is under the row filter.

        Args:
            folder: the engine's own; it is made when it is not there.
            bounds: what the engine may take of the machine.
            limits: the bounds of each question.
            readers_max: how many questions run at once.
            retention: how long rows are kept.
            configure: writes the engine's configuration into a folder and returns the file to open it with.

        Raises:
            DataFolderLocked: another process has the folder open.
            DataFolderUnusable: the folder cannot be written, or the engine cannot open it.
            MigrationMismatch: the folder's layout is not one that this program knows.
        """
        folder = folder.absolute()
        self._folder = folder
        self._limits = limits
        self._retention = retention
        self._config = _prepare(folder, lambda: configure(folder / "config", bounds))
        self._readers = ReaderPool(self._open_reader, sessions_max=readers_max, wait_s=limits.duration_s)
        self._interrupted: set[int] = set()
        self._closing = threading.Lock()
        self._closed = False
        self._upkeep = self._open_writer()
        self._stopper = self._open_writer()
        self._asker = Asker(self._readers, stopper=self._stopper)
        self._forgetting = Forgetting(
            self._upkeep,
            retention,
            open_session=lambda: self._open_keeper(bounds),
            free_bytes=lambda: shutil.disk_usage(folder).free,
        )
        self._writers: dict[Signal, tuple[Session, ...]] = {}
        self._hands = Hands(threads=sum(count - 1 for count in WRITERS.values()))
        try:
            self._start()
        except HomeostatError:
            # The engine serves one folder at a time: what stays open here would lock every other one out.
            self.close()
            raise

    def _start(self) -> None:
        try:
            migrate(self._upkeep, MIGRATIONS)
            apply_time_to_live(self._upkeep, self._retention)
            clear_incoming(self._folder)
        except StoreUnavailable as error:
            raise DataFolderUnusable(
                "bring the telemetry folder's layout up to date", value=error.value, hint=error.hint
            ) from error
        for signal in Signal:
            decoding = _decoding(self._config, signal)
            self._writers[signal] = tuple(self._open_writer(decoding) for _ in range(WRITERS[signal]))
        # After the writers: each probe is refused, which costs its session the connection, and with the last one the
        # engine would stop and start again, ten times over.
        self._check_row_filters()

    def _open_writer(self, decoding: Mapping[str, str | int] | None = None) -> Session:
        return _open(self._folder, self._config, {**WRITER_SETTINGS, **ARROW_SETTINGS, **(decoding or {})})

    def _open_keeper(self, bounds: EngineBounds) -> Session:
        """Open the session that chooses a day's valued spans: what does not fit its memory is on disk meanwhile."""
        memory_bytes = max(bounds.memory_bytes // 4, KEEPER_MEMORY_BYTES_MIN)
        settings: dict[str, str | int] = {
            "max_memory_usage": memory_bytes,
            "max_bytes_before_external_group_by": memory_bytes // 4,
            "max_bytes_before_external_sort": memory_bytes // 4,
            "min_insert_block_size_bytes": memory_bytes // 16,
            "max_block_size": 8192,
        }
        return _open(self._folder, self._config, {**WRITER_SETTINGS, **ARROW_SETTINGS, **settings})

    def _open_reader(self, tenant: str) -> Session:
        limits = self._limits
        # Checked before, but a name that is none might be the engine's own, which sees all rows.
        parse_tenant(tenant)
        settings: dict[str, str | int] = {
            **ARROW_SETTINGS,
            "max_threads": READER_THREADS_MAX,
            **SHARED_READS,
            "os_threads_nice_value_query": READ_NICENESS,
            "max_execution_time": max(1, round(limits.duration_s)),
            "max_result_rows": limits.rows_max,
            "max_result_bytes": limits.result_bytes_max,
            "result_overflow_mode": "throw",
            "max_memory_usage": limits.memory_bytes_max,
            SCOPE_SETTING: tenant,
            # Last: from here on nothing of the above can be changed.
            "readonly": 1,
        }
        return _open(self._folder, self._config, settings, role=READER_ROLE)

    def _check_row_filters(self) -> None:
        """Refuse to run where the engine did not take the filters: it ignores a configuration it cannot find."""
        unfiltered = [table.name for table in CATALOGUE if not _is_filtered(self._upkeep, table.name)]
        if unfiltered:
            raise DataFolderUnusable(
                "check the row filter of each table",
                value=", ".join(unfiltered),
                hint=f"Tenants would see each other's rows: is {self._config} readable?",
            )

    def insert_segment(self, segment: SealedSegment) -> None:
        """Store a segment's items, once; see the port."""
        _check_file(segment.path)
        writers = self._writers[segment.signal]
        session = writers[0]
        if segment.replay or segment.number in self._interrupted:
            self._take_back(session, segment)
        self._interrupted.add(segment.number)
        try:
            for statement in DERIVED[segment.signal]:
                session.execute(statement(segment.number, segment.path))
            self._hands.share([statement(segment.number, segment.path) for statement in ROWS[segment.signal]], writers)
        except SegmentRejected:
            # One kind of point may be in when the next cannot be decoded, and nobody will replay this segment.
            self._take_back(session, segment)
            self._interrupted.discard(segment.number)
            raise
        self._interrupted.discard(segment.number)

    def _take_back(self, session: Session, segment: SealedSegment) -> None:
        for table in TABLES[segment.signal]:
            condition = f"FROM {DATABASE}.{table} WHERE segment = {segment.number}"
            if session.rows(f"SELECT 1 {condition} LIMIT 1", {}):
                session.execute(f"DELETE {condition}")

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question with one tenant's rows; see the port."""
        return self._asker.ask(tenant, sql, parameters).rows

    def read_table(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Answer a question with one tenant's rows by columns; see the port."""
        return self._asker.ask(tenant, sql, parameters).table

    def watched(self, watch: QueryWatch) -> WatchedReader:
        """Return a reader under a watch; see the port."""
        return WatchedSessions(self._asker, watch)

    def touched_buckets(self, *, first_s: int, last_s: int) -> list[TouchedBucket]:
        """Return the buckets that received spans went into; see the port."""
        return touched_buckets(self._upkeep, first_s=first_s, last_s=last_s)

    def insert_summaries(self, tenant: Tenant, table: pa.Table) -> None:
        """Store rows of summaries; see the port."""
        insert_summaries(self._upkeep, self._folder, tenant, table)

    def statistics(self) -> StoreStatistics:
        """Say how much there is and what it takes."""
        memory = self._upkeep.rows("SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'", {})
        tables = self._upkeep.rows(
            "SELECT table, sum(rows) AS rows, count() AS parts, sum(bytes_on_disk) AS size_bytes"
            f" FROM system.parts WHERE active AND database = '{DATABASE}' GROUP BY table ORDER BY table",
            {},
        )
        return StoreStatistics(
            kept=self._forgetting.kept,
            memory_bytes=_integer(memory[0]["value"]),
            tables=tuple(
                TableSize(
                    table=_bytes({"table": row["table"]}).decode(),
                    rows=_integer(row["rows"]),
                    parts=_integer(row["parts"]),
                    size_bytes=_integer(row["size_bytes"]),
                )
                for row in tables
            ),
        )

    def drop_expired(self, now_s: int) -> int:
        """Drop the partitions whose retention is over; see the port."""
        return self._forgetting.drop_expired(now_s)

    def close(self) -> None:
        """Let running calls end, then release the folder."""
        with self._closing:
            if self._closed:
                return
            self._closed = True
        self._readers.close()
        self._hands.close()
        for session in (*chain.from_iterable(self._writers.values()), self._stopper, self._upkeep):
            session.close()


def _prepare(folder: Path, configure: Callable[[], Path]) -> Path:
    if not FOLDER_CHARACTERS.isdisjoint(str(folder)):
        listed = " ".join(sorted(FOLDER_CHARACTERS))
        raise DataFolderUnusable(
            "open the telemetry folder",
            value=str(folder),
            hint=f"The engine takes no path with {listed}: change --data.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return configure()
    except OSError as error:
        raise DataFolderUnusable(
            "prepare the telemetry folder", value=str(folder), hint=f"{error.strerror}: free space or change --data."
        ) from error


def _decoding(config: Path, signal: Signal) -> dict[str, str | int]:
    """Return the settings by which a session reads the segments of a signal."""
    schema = schema_file(config.parent, signal)
    return {"format_schema": f"{schema}:Tagged", "input_format_protobuf_oneof_presence": 1}


def _check_file(path: Path) -> None:
    """Refuse to insert what the engine would take for something else than one file: it says nothing and inserts none.

    Raises:
        StoreUnavailable: the segment is not lost, it can be inserted from another place or when the file is back.
    """
    if not PATTERN_CHARACTERS.isdisjoint(str(path)):
        raise StoreUnavailable(
            "read a segment", value=str(path), hint="The engine takes * ? { } in a path as a pattern: change --data."
        )
    if not path.is_file():
        raise StoreUnavailable("read a segment", value=str(path), hint="There is no such file.")


def _open(folder: Path, config: Path, settings: Mapping[str, str | int], *, role: str | None = None) -> Session:
    try:
        return Session(folder, config, settings, role=role)
    except (RuntimeError, ValueError) as error:
        raise _opening_error(folder, error) from error


def _opening_error(folder: Path, error: Exception) -> HomeostatError:
    if _is_locked(folder):
        return DataFolderLocked(
            "open the telemetry folder", value=str(folder), hint="Another process has it open; stop it or use --data."
        )
    text = str(error).split("\n", 1)[0]
    return DataFolderUnusable(
        "open the telemetry folder", value=str(folder), hint=f"Free space and rights? The engine says: {text}"
    )


def _is_locked(folder: Path) -> bool:
    """Say whether a process has the engine's folder open: the engine tells that on standard error only."""
    try:
        with (folder / LOCK_NAME).open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _is_filtered(session: Session, table: str) -> bool:
    """Say whether a table is under a row filter: the engine hides the index of exactly those."""
    try:
        session.rows(f"SELECT 1 FROM mergeTreeIndex('{DATABASE}', '{table}') LIMIT 0", {})
    except InvalidRequest as refusal:
        return "row policy" in str(refusal.value)
    return False


def _integer(value: object) -> int:
    if not isinstance(value, int):
        raise StoreUnavailable("read the engine's statistics", value=value)
    return value


def _bytes(row: Row) -> bytes:
    value = next(iter(row.values()))
    return value if isinstance(value, bytes) else str(value).encode()
