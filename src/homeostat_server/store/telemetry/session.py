"""One connection to the embedded engine: run a statement, ask a question, translate an error. It knows no table."""

import re
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Protocol, cast

import chdb
import pyarrow as pa

from homeostat_server.exceptions import HomeostatError, InvalidRequest, QueryLimit, SegmentRejected, StoreUnavailable
from homeostat_server.store.ports import Parameter, Row

_CODE: Final = re.compile(r"Code: (\d+)\.")

LIMIT_CODES: Final = frozenset({158, 159, 160, 173, 241, 307, 396})
"""TOO_MANY_ROWS, TIMEOUT_EXCEEDED, TOO_SLOW, CANNOT_ALLOCATE_MEMORY, MEMORY_LIMIT_EXCEEDED, TOO_MANY_BYTES,
TOO_MANY_ROWS_OR_BYTES: a query that costs more than it may."""

CONTENT_CODES: Final = frozenset({6, 26, 27, 32, 33, 53, 69, 70, 117, 128, 131, 190, 321, 407, 434, 441, 444, 636})
"""What the engine says of bytes that it cannot read as the schema tells: no later attempt will do better. Every other
code (no space, memory, too many parts, an unreadable file) may pass."""

_ESCAPES: Final = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\\0"}


class _Result(Protocol):
    def bytes(self) -> bytes: ...


class _Connection(Protocol):
    def query(self, query: str, format: str, params: Mapping[str, object]) -> _Result: ...  # noqa: A002 - chdb's word

    def close(self) -> None: ...


def engine_code(error: Exception) -> int:
    """Return the engine's number for an error, 0 when it has none."""
    match = _CODE.search(str(error))
    return int(match.group(1)) if match else 0


def read_error(error: Exception) -> HomeostatError:
    """Return what a failed question means to who asked."""
    code, text = engine_code(error), _first_line(error)
    if code in LIMIT_CODES:
        return QueryLimit("answer a query", value=text, hint="Ask for less: a shorter window or more conditions.")
    if code == 0:
        return StoreUnavailable("answer a query", value=text)
    return InvalidRequest("answer a query", value=text)


def write_error(error: Exception) -> HomeostatError:
    """Return what a failed statement means to who wrote."""
    code, text = engine_code(error), _first_line(error)
    if code in CONTENT_CODES:
        return SegmentRejected("store a segment", value=text, hint="The engine cannot decode it.")
    return StoreUnavailable(
        "write to the telemetry store", value=text, hint="It is tried again; check disk and memory."
    )


def _first_line(error: Exception) -> str:
    return str(error).split("\n", 1)[0]


def escape_parameter(value: Parameter) -> Parameter:
    """Return a parameter as the engine has to be given it: it reads bound text as if it stood in a TSV file."""
    if not isinstance(value, str):
        return value
    return "".join(_ESCAPES.get(character, character) for character in value)


class Session:
    """Hold one connection; calls from several threads run one after the other."""

    def __init__(self, path: Path, config: Path, settings: Mapping[str, str | int]) -> None:
        """Open a connection to an engine folder and set the session's settings, in their order.

        Raises:
            RuntimeError: as chdb says it; the caller knows what it means for the folder.
        """
        self._lock = threading.Lock()
        self._connection = cast("_Connection", chdb.connect(f"{path}?config-file={config}"))
        for name, value in settings.items():
            shown = value if isinstance(value, int) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
            self._connection.query(f"SET {name} = {shown}", "TabSeparated", {})

    def execute(self, sql: str) -> None:
        """Run a statement.

        Raises:
            SegmentRejected: the engine cannot decode what it was to insert.
            StoreUnavailable: any other failure.
        """
        try:
            with self._lock:
                self._connection.query(sql, "TabSeparated", {})
        except RuntimeError as error:
            raise write_error(error) from error

    def rows(self, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question.

        Raises:
            QueryLimit: it reached a bound of the session.
            InvalidRequest: the engine does not understand or allow it.
            StoreUnavailable: the engine is closed.
        """
        escaped = {name: escape_parameter(value) for name, value in parameters.items()}
        try:
            with self._lock:
                answer = self._connection.query(sql, "ArrowStream", escaped).bytes()
        except RuntimeError as error:
            raise read_error(error) from error
        if not answer:
            return []
        with pa.ipc.open_stream(pa.py_buffer(answer)) as stream:
            return cast("list[Row]", stream.read_all().to_pylist())

    def close(self) -> None:
        """Close the connection once no call runs on it."""
        with self._lock:
            self._connection.close()
