"""One connection to the embedded engine: run a statement, ask a question, translate an error. It knows no table."""

import re
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, cast

import chdb
import pyarrow as pa

from homeostat_server.exceptions import HomeostatError, InvalidRequest, QueryLimit, SegmentRejected, StoreUnavailable
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.watched import Scanned

_CODE: Final = re.compile(r"Code: (\d+)\.")

LIMIT_CODES: Final = frozenset({158, 159, 160, 173, 241, 307, 396})
"""TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_SLOW, CANNOT_ALLOCATE_MEMORY, MEMORY_LIMIT_EXCEEDED, TOO_MANY_BYTES,
TOO_MANY_ROWS_OR_BYTES: a query that costs more than it may."""

FAULT_CODES: Final = frozenset(
    {0, 40, 49, 74, 75, 76, 77, 84, 202, 226, 236, 243, 246, 271, 394, 439, 1000, 1001, 1002}
)
"""The engine's own trouble (a checksum, a file, no space, no thread, shutting down), or no code at all: not the fault
of who asked."""

EVERYBODY: Final = "(total) memory limit"
"""What the engine says when all queries together, not this one, take more memory than they may."""

CONTENT_CODES: Final = frozenset({6, 26, 27, 32, 33, 53, 69, 70, 117, 128, 131, 190, 321, 407, 436, 441, 444})
"""What the engine says of bytes that it cannot read as the schema tells: no later attempt will do better. Every other
code (no space, memory, too many parts, an unreadable file, a schema that is not there) may pass."""

INVALID_CONTENT: Final = "Invalid protobuf data"
"""What it says, under a code that also means other things, of a oneof with two members set."""

OWN_FILES: Final = "MergeTree"
"""Stands in the message when the bytes that cannot be read are the engine's own, not a segment's."""

FREE_BYTES_MIN: Final = 32 * 1024 * 1024
"""Below this nothing is written. On a disk that is quite full the engine leaves metadata files empty without a word
(release 26.9) and does not open the folder again; retention needs a mebibyte to drop a partition."""

_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}


class _Result(Protocol):
    def bytes(self) -> bytes: ...

    def storage_rows_read(self) -> int: ...

    def storage_bytes_read(self) -> int: ...


class _Connection(Protocol):
    def query(self, query: str, format: str, params: Mapping[str, object]) -> _Result: ...  # noqa: A002 - chdb's word

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Answered:
    """Hold an answer by columns, and how much was read from tables for it."""

    table: pa.Table
    scanned: Scanned

    @property
    def rows(self) -> list[Row]:
        """Return the answer by rows."""
        return cast("list[Row]", self.table.to_pylist())


def engine_code(error: Exception) -> int:
    """Return the engine's number for an error, 0 when it has none."""
    match = _CODE.search(str(error))
    return int(match.group(1)) if match else 0


def read_error(error: Exception) -> HomeostatError:
    """Return what a failed question means to who asked."""
    code, text = engine_code(error), _first_line(error)
    if code in FAULT_CODES or EVERYBODY in text:
        return StoreUnavailable("answer a query", value=text)
    if code in LIMIT_CODES:
        return QueryLimit("answer a query", value=text, hint="Ask for less: a shorter window or more conditions.")
    return InvalidRequest("answer a query", value=text)


def write_error(error: Exception) -> HomeostatError:
    """Return what a failed statement means to who wrote."""
    code, text = engine_code(error), _first_line(error)
    if (code in CONTENT_CODES or INVALID_CONTENT in text) and OWN_FILES not in text:
        return SegmentRejected("store a segment", value=text, hint="The engine cannot decode it.")
    return StoreUnavailable(
        "write to the telemetry store", value=text, hint="It is tried again; check disk and memory."
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def escape_parameter(value: Parameter) -> Parameter:
    """Return a parameter as the engine has to be given it: it reads bound text as if it stood in a TSV file.

    Raises:
        UnicodeEncodeError: it is text that has no bytes.
    """
    if not isinstance(value, str):
        return value
    value.encode()
    return "".join(_ESCAPES.get(character, character) for character in value)


class Session:
    """Hold one connection; calls from several threads run one after the other."""

    def __init__(self, path: Path, config: Path, settings: Mapping[str, str | int], *, role: str | None = None) -> None:
        """Open a connection to an engine folder, take a role (all of them without), set settings in their order.

        Raises:
            RuntimeError: as chdb says it; the caller knows what it means for the folder.
        """
        self._path = path
        self._config = config
        self._opening = ([] if role is None else [f"SET ROLE {role}"]) + [
            f"SET {name} = {_shown(value)}" for name, value in settings.items()
        ]
        self._lock = threading.Lock()
        self._closed = False
        self._connection: _Connection | None = self._connect()

    def _connect(self) -> _Connection:
        connection = cast("_Connection", chdb.connect(f"{self._path}?config-file={self._config}"))
        try:
            for statement in self._opening:
                connection.query(statement, "TabSeparated", {})
        except RuntimeError:
            connection.close()
            raise
        return connection

    def _query(self, sql: str, form: str = "TabSeparated", parameters: Mapping[str, object] | None = None) -> _Result:
        with self._lock:
            if self._closed:
                raise RuntimeError("the store is closed")
            connection = self._connection = self._connection or self._connect()
            try:
                return connection.query(sql, form, parameters or {})
            except RuntimeError:
                # After a question that failed while it ran, a connection answers the next one with nothing
                # (chdb-core 26.9.0): a fresh one takes its place.
                self._connection = None
                connection.close()
                raise

    def execute(self, sql: str) -> None:
        """Run a statement that needs room on the disk.

        Raises:
            SegmentRejected: the engine cannot decode what it was to insert.
            StoreUnavailable: the disk is full, or any other failure.
        """
        free_bytes = shutil.disk_usage(self._path).free
        if free_bytes < FREE_BYTES_MIN:
            raise StoreUnavailable(
                "write to the telemetry store",
                value=f"{free_bytes} bytes free",
                hint=f"The disk of {self._path} is full; it goes on when {FREE_BYTES_MIN} bytes are free.",
            )
        self.shrink(sql)

    def shrink(self, sql: str) -> None:
        """Run a statement that gives room back, however full the disk is.

        Raises:
            SegmentRejected: the engine cannot decode what it was to insert.
            StoreUnavailable: any other failure.
        """
        try:
            self._query(sql)
        except RuntimeError as error:
            raise write_error(error) from error

    def stop(self, mark: str) -> bool:
        """End the statement of another session that begins with a comment of this mark; say whether it was running.

        Raises:
            StoreUnavailable: the engine is closed.
        """
        statement = f"KILL QUERY WHERE startsWith(query, {_shown(marked('', mark))}) ASYNC"
        try:
            return bool(self._query(statement).bytes())
        except RuntimeError as error:
            raise read_error(error) from error

    def rows(self, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question by rows.

        Raises:
            HomeostatError: as `answer` does.
        """
        return self.answer(sql, parameters).rows

    def answer(self, sql: str, parameters: Mapping[str, Parameter], *, mark: str | None = None) -> Answered:
        """Answer a question.

        Args:
            sql: one SELECT.
            parameters: what stands for its `{name:Type}`.
            mark: a word by which `stop` of another session finds it.

        Raises:
            QueryLimit: it reached a bound of the session.
            InvalidRequest: the engine does not understand or allow it.
            StoreUnavailable: the engine is closed, or the statement was stopped.
        """
        try:
            sql.encode()
            escaped = {name: escape_parameter(value) for name, value in parameters.items()}
            result = self._query(sql if mark is None else marked(sql, mark), "ArrowStream", escaped)
        except RuntimeError as error:
            raise read_error(error) from error
        except UnicodeEncodeError as error:
            raise InvalidRequest("answer a query", value=ascii(error.object), hint="It is not Unicode text.") from error
        answer = result.bytes()
        if not answer:
            # No rows still come with their columns; nothing at all is the engine's fault, not an answer.
            raise StoreUnavailable("answer a query", value="the engine gave nothing")
        scanned = Scanned(rows=result.storage_rows_read(), bytes=result.storage_bytes_read())
        with pa.ipc.open_stream(pa.py_buffer(answer)) as stream:
            return Answered(stream.read_all(), scanned)

    def close(self) -> None:
        """Close the connection once no call runs on it; calling it again does nothing."""
        with self._lock:
            self._closed = True
            connection, self._connection = self._connection, None
            if connection is not None:
                connection.close()


def marked(sql: str, mark: str) -> str:
    """Return a statement that begins with a comment of a mark: what nobody can guess nobody else can begin with."""
    return f"/*{mark}*/ {sql}"


def _shown(value: str | int) -> str:
    return str(value) if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
