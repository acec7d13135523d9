"""SQLAlchemy, all versions from 1.4, its asyncio part included: a span a statement, and none of the driver below.

Contrib's package takes no SQLAlchemy from 2.1, and makes a second span wherever the driver is instrumented as well.
Here the driver's instrumentation is silent while SQLAlchemy executes a statement; what a program sends through the
driver itself keeps its spans.
"""

import importlib
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from homeostat.integrations.messaging import Messaging
from homeostat.tracing.families import database_span

LIBRARY: Final = "sqlalchemy"

_HOOKS: Final = ("do_execute", "do_executemany", "do_execute_no_params")
_SYSTEMS: Final = {"mssql": "microsoft.sql_server", "oracle": "oracle.db"}
"""Names of the semantic conventions where SQLAlchemy has others."""

_OPERATION: Final = re.compile(r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*([A-Za-z]+)", re.DOTALL)
_COLLECTION: Final = re.compile(r"\b(?:FROM|INTO|UPDATE|JOIN|TABLE)\s+([\w.\"`\[\]]+)", re.IGNORECASE)
_LITERAL: Final = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")
_TEXT_CHARACTERS_MAX: Final = 4096

_LISTENERS: Final[list[tuple[str, Callable[..., bool]]]] = []


def install(_: Messaging) -> None:
    """Make spans of all statements of all engines from now on."""
    if _LISTENERS:
        return
    event = importlib.import_module("sqlalchemy.event")
    engine = importlib.import_module("sqlalchemy.engine").Engine
    for name in _HOOKS:
        listener = _executing(name)
        event.listen(engine, name, listener)
        _LISTENERS.append((name, listener))


def uninstall() -> None:
    """Leave SQLAlchemy as it was."""
    event = importlib.import_module("sqlalchemy.event")
    engine = importlib.import_module("sqlalchemy.engine").Engine
    while _LISTENERS:
        event.remove(engine, *_LISTENERS.pop())


def _executing(name: str) -> Callable[..., bool]:
    """Return what executes a statement in place of the dialect's own method of this name."""

    def execute(cursor: Any, statement: str, *rest: Any) -> bool:
        context = rest[-1]
        parameters = rest[0] if len(rest) > 1 else ()
        with statement_span(statement, parameters, context, is_batch=name == "do_executemany"), _silence():
            getattr(context.dialect, name)(cursor, statement, *rest)
        return True  # SQLAlchemy: it is executed, do not do it again

    return execute


def statement_span(
    statement: str, parameters: Any, context: Any, *, is_batch: bool = False
) -> AbstractContextManager[object]:
    """Return the span of a statement.

    Args:
        statement: as it goes to the driver.
        parameters: what goes along; where there are none, numbers and texts in the statement are taken for values.
        context: the execution context of SQLAlchemy.
        is_batch: whether it is executed once for each of many sets of parameters.
    """
    found = _OPERATION.match(statement)
    operation = found[1].upper() if found else "execute"
    url = context.root_connection.engine.url
    return database_span(
        _SYSTEMS.get(context.dialect.name, context.dialect.name),
        operation,
        collection=_collection(statement),
        namespace=url.database or None,
        query=(statement if parameters else _LITERAL.sub("?", statement))[:_TEXT_CHARACTERS_MAX],
        attributes={**_server(url), **_batch(parameters, is_batch=is_batch)},
    )


def _collection(statement: str) -> str | None:
    found = _COLLECTION.search(statement)
    return None if found is None else found[1].strip('"`[]')


def _server(url: Any) -> Mapping[str, str | int]:
    host = {"server.address": url.host} if url.host else {}
    return {**host, "server.port": url.port} if url.port else host


def _batch(parameters: Any, *, is_batch: bool) -> Mapping[str, int]:
    return {"db.operation.batch.size": len(parameters)} if is_batch and len(parameters) > 1 else {}


def _silence() -> AbstractContextManager[object]:
    """Return a block in which contrib's packages make no spans; nothing to do where there are none."""
    try:
        found = importlib.import_module("opentelemetry.instrumentation.utils")
    except ImportError:
        return nullcontext()
    block: AbstractContextManager[object] = found.suppress_instrumentation()
    return block
