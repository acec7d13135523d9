"""An engine folder in which tables are tried: made, filled from segments, merged to one part, looked at, dropped.

It knows no candidate by name. Insert CPU is this process's, with merges stopped; the fastest segment counts, as others
may use the machine.
"""

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.layout.candidates import Candidate
from benchmarks.realistic import traces
from homeostat_server.ingest.segment import digest_of, frame, segment_name
from homeostat_server.model.segment import NODE_BITS
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.resources import read_resources
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.telemetry import inserts
from homeostat_server.store.telemetry.catalogue import SPANS
from homeostat_server.store.telemetry.embedded import ARROW_SETTINGS, READER_THREADS_MAX, WRITER_SETTINGS
from homeostat_server.store.telemetry.engine_config import derive_bounds, schema_file, write_engine_config
from homeostat_server.store.telemetry.session import Session
from homeostat_server.store.telemetry.tables import DATABASE

_NS: Final = 10**9
_TENANT: Final = b"default"
_SPREAD_S: Final = 3600
_LOOK_S: Final = 0.1
_QUIET_LOOKS: Final = 15


@dataclass(frozen=True, slots=True)
class Segment:
    """Hold a segment of the data that all candidates are filled with."""

    number: int
    path: Path
    spans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Filled:
    """Hold what a filled table took."""

    spans: int
    size_bytes: int
    index_bytes: int
    insert_cpu_us: float
    merge_cpu_us: float
    columns: dict[str, int]

    def per_span(self, size_bytes: int) -> float:
        """Return bytes a span."""
        return size_bytes / self.spans


def write_segments(folder: Path, *, spans: int, segment_bytes: int) -> Iterator[Segment]:
    """Write an hour of realistic spans that ends now, in segments of about this size."""
    now_ns = time.time_ns()
    number = now_ns // 1000 << NODE_BITS
    bodies = traces(spans, start_ns=now_ns - _SPREAD_S * _NS, span_of_time_s=float(_SPREAD_S))
    body = next(bodies, None)
    while body is not None:
        path = folder / segment_name(number)
        written = items = 0
        with path.open("wb") as file:
            while body is not None and written < segment_bytes:
                digest = digest_of(_TENANT, body.data)
                head, tail = frame(_TENANT, body_bytes=len(body.data), digest=digest)
                written += file.write(head) + file.write(body.data) + file.write(tail)
                items += body.items
                body = next(bodies, None)
        yield Segment(number, path, items)
        number += 1 << NODE_BITS


class Workshop:
    """Try tables, one at a time."""

    def __init__(self, folder: Path) -> None:
        """Open an engine as the server does, without its tables."""
        self._folder = folder
        folder.mkdir(parents=True)
        resources = read_resources()
        bounds = derive_bounds(memory_bytes=resources.memory_bytes, cpus=resources.cpus)
        config = write_engine_config(folder / "config", bounds)
        decoding: dict[str, str | int] = {
            "format_schema": f"{schema_file(config.parent, Signal.TRACES)}:Tagged",
            "input_format_protobuf_oneof_presence": 1,
        }
        self._writer = Session(folder, config, {**WRITER_SETTINGS, **ARROW_SETTINGS, **decoding})
        self._reader = Session(folder, config, {**WRITER_SETTINGS, **ARROW_SETTINGS, "max_threads": READER_THREADS_MAX})
        self._writer.execute(f"CREATE DATABASE {DATABASE}")

    def close(self) -> None:
        """Close the engine."""
        self._reader.close()
        self._writer.close()

    def fill(self, candidate: Candidate, segments: Sequence[Segment]) -> Filled:
        """Make a candidate's table, fill it, merge it to one part and return what that took."""
        name = candidate.table.name
        self._writer.execute(candidate.table.create_statement())
        self._writer.execute(f"SYSTEM STOP MERGES {DATABASE}.{name}")
        insert_us = min(self._insert(candidate, segment) for segment in segments)
        self._writer.execute(f"SYSTEM START MERGES {DATABASE}.{name}")
        began_s = time.process_time()
        self._wait_for_merges(name)
        self._writer.execute(f"OPTIMIZE TABLE {DATABASE}.{name} FINAL")
        merge_s = time.process_time() - began_s
        spans = sum(segment.spans for segment in segments)
        return self._examine(name, spans=spans, insert_us=insert_us, merge_us=merge_s / spans * 1e6)

    def _wait_for_merges(self, name: str) -> None:
        """Wait for the merges that the engine chooses by itself: dictionaries of the merged depend on their order."""
        running = f"SELECT count() AS merges FROM system.merges WHERE table = '{name}'"
        quiet = 0
        while quiet < _QUIET_LOOKS:
            time.sleep(_LOOK_S)
            quiet = 0 if self.ask(running, {})[0]["merges"] else quiet + 1

    def _insert(self, candidate: Candidate, segment: Segment) -> float:
        statement = inserts.insert_spans(segment.number, segment.path)
        statement = statement.replace(f"{DATABASE}.{SPANS.name} ", f"{DATABASE}.{candidate.table.name} ", 1)
        if candidate.kinds_as_array:
            statement = statement.replace(inserts.kind_digits("item.attributes"), "item.attributes.value.value", 1)
        began_s = time.process_time()
        self._writer.execute(statement)
        return (time.process_time() - began_s) / segment.spans * 1e6

    def _examine(self, name: str, *, spans: int, insert_us: float, merge_us: float) -> Filled:
        parts = self.ask(
            "SELECT sum(rows) AS spans, sum(bytes_on_disk) AS size,"
            f" sum(secondary_indices_compressed_bytes) AS indexes FROM system.parts WHERE active AND table = '{name}'",
            {},
        )[0]
        assert parts["spans"] == spans, f"{name} has {parts['spans']} spans of {spans}"
        columns = self.ask(
            "SELECT column, sum(column_data_compressed_bytes) AS size FROM system.parts_columns"
            f" WHERE active AND table = '{name}' GROUP BY column",
            {},
        )
        return Filled(
            spans=spans,
            size_bytes=_number(parts["size"]),
            index_bytes=_number(parts["indexes"]),
            insert_cpu_us=insert_us,
            merge_cpu_us=merge_us,
            columns={_text(row["column"]): _number(row["size"]) for row in columns},
        )

    def ask(self, sql: str, parameters: dict[str, Parameter]) -> list[Row]:
        """Answer a question with as many threads as a reader of the server has."""
        return self._reader.rows(sql, parameters)

    def forget(self) -> None:
        """Take the engine's caches and the kernel's pages of its files away, so that the next answer is cold."""
        for cache in ("MARK", "PRIMARY INDEX", "INDEX MARK", "QUERY CONDITION", "MMAP"):
            self._writer.execute(f"SYSTEM DROP {cache} CACHE")
        for path in (self._folder / "store").rglob("*"):
            if path.is_file():
                _drop_pages(path)

    def drop(self, candidate: Candidate) -> None:
        """Drop a candidate's table at once."""
        self._writer.execute(f"DROP TABLE {DATABASE}.{candidate.table.name} SYNC")


def _drop_pages(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


def _number(value: object) -> int:
    assert isinstance(value, int)
    return value


def _text(value: object) -> str:
    assert isinstance(value, bytes)
    return value.decode()
