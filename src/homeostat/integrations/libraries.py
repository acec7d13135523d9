"""The client libraries whose calls become spans through OpenTelemetry's contrib packages, one row a library.

Each is instrumented once, when the program imports it. Double spans are kept away: where two libraries of one call are
both known, the inner one is silent. The room makes no spans of its own for them.
"""

import importlib
import logging
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

from homeostat.integrations.late import Imports, is_installed

_LOG: Final = logging.getLogger("homeostat")

_STABLE: Final = "http,database"


class Instrumentor(Protocol):
    """What each contrib package offers."""

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Say whether somebody has instrumented the library already."""

    def instrument(self) -> object:
        """Instrument the library."""

    def uninstrument(self) -> object:
        """Take that back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """Say of one library which module announces it, and which class of which package instruments it.

    Args:
        name: what it is called in the settings `instrument` and `instrument_not`.
        module: the module whose import means that the program uses it.
        package: the module of the contrib package.
        instrumentor: the class in there.
    """

    name: str
    module: str
    package: str
    instrumentor: str


def _contrib(name: str, instrumentor: str, *, module: str = "", package: str = "") -> Library:
    return Library(
        name=name,
        module=module or name,
        package=f"opentelemetry.instrumentation.{package or name}",
        instrumentor=instrumentor,
    )


LIBRARIES: Final = (
    _contrib("aiohttp_client", "AioHttpClientInstrumentor", module="aiohttp"),
    _contrib("asyncpg", "AsyncPGInstrumentor"),
    _contrib("grpc", "GrpcInstrumentorClient"),
    _contrib("grpc", "GrpcInstrumentorServer"),
    _contrib("grpc", "GrpcAioInstrumentorClient"),
    _contrib("grpc", "GrpcAioInstrumentorServer"),
    _contrib("httpx", "HTTPXClientInstrumentor"),
    _contrib("psycopg", "PsycopgInstrumentor"),
    _contrib("redis", "RedisInstrumentor"),
    _contrib("requests", "RequestsInstrumentor"),
    _contrib("urllib3", "URLLib3Instrumentor"),
    # Not in the extra `instrumentation`, and used where somebody has installed them.
    _contrib("aiopg", "AiopgInstrumentor"),
    _contrib("boto3sqs", "Boto3SQSInstrumentor", module="boto3"),
    _contrib("botocore", "BotocoreInstrumentor"),
    _contrib("cassandra", "CassandraInstrumentor"),
    _contrib("elasticsearch", "ElasticsearchInstrumentor"),
    _contrib("mysql", "MySQLInstrumentor", module="mysql.connector"),
    _contrib("mysqlclient", "MySQLClientInstrumentor", module="MySQLdb"),
    _contrib("psycopg2", "Psycopg2Instrumentor"),
    _contrib("pymemcache", "PymemcacheInstrumentor"),
    _contrib("pymongo", "PymongoInstrumentor"),
    _contrib("pymysql", "PyMySQLInstrumentor"),
    _contrib("sqlite3", "SQLite3Instrumentor"),
    _contrib("urllib", "URLLibInstrumentor", module="urllib.request"),
)
"""Every library that is known, in alphabetical order within what the extra installs and what it does not.

Celery, NATS, Kafka and RabbitMQ are not here: messages have integrations of our own, which carry more than a trace.
SQLAlchemy is not here either: contrib's package takes no version from 2.1.
"""

NAMES: Final = frozenset(library.name for library in LIBRARIES)


def chosen(libraries: Iterable[Library], *, wanted: Iterable[str], unwanted: Iterable[str]) -> tuple[Library, ...]:
    """Return the libraries that the settings ask for; `auto` is all of them, and `*` among the unwanted none."""
    asked, refused = set(wanted), set(unwanted)
    if "*" in refused:
        return ()
    return tuple(
        library for library in libraries if ("auto" in asked or library.name in asked) and library.name not in refused
    )


class Libraries:
    """Instrument the libraries that the program uses, each when it is imported.

    Args:
        imports: what tells when that is.
    """

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._done: list[tuple[Library, Instrumentor]] = []
        self._missing: dict[str, str] = {}
        self._foreign: list[str] = []
        self._waiting: list[str] = []
        self._has_hinted = False

    @property
    def waiting(self) -> tuple[str, ...]:
        """Return the names of those that will be instrumented when the program imports them."""
        return tuple(dict.fromkeys(self._waiting))

    @property
    def instrumented(self) -> tuple[str, ...]:
        """Return the names of those that are instrumented by us by now."""
        return tuple(dict.fromkeys(library.name for library, _ in self._done))

    @property
    def missing(self) -> dict[str, str]:
        """Return the packages that would be needed, by library."""
        return dict(self._missing)

    @property
    def foreign(self) -> tuple[str, ...]:
        """Return the libraries that somebody else had instrumented before."""
        return tuple(self._foreign)

    def start(self, libraries: Iterable[Library], *, named: Iterable[str] = ()) -> None:
        """Wait for the imports of these libraries; `named` are those that somebody asked for by name."""
        explicit = set(named)
        for library in libraries:
            if not is_installed(library.module):
                continue
            if not is_installed(library.package):
                if library.name in explicit:
                    self._miss(library)
                elif library.module.partition(".")[0] not in sys.stdlib_module_names:
                    self._imports.call_when_imported(library.module, partial(self._hint, library))
                continue
            self._waiting.append(library.name)
            self._imports.call_when_imported(library.module, partial(self._instrument, library))

    def stop(self) -> None:
        """Take back what was done."""
        for _, instrumentor in self._done:
            instrumentor.uninstrument()
        self._done.clear()

    def _hint(self, library: Library) -> None:
        """Say, once a process, that a library in use makes no spans for want of a package."""
        if not self._has_hinted:
            self._has_hinted = True
            self._miss(library)

    def _miss(self, library: Library) -> None:
        distribution = library.package.replace("opentelemetry.instrumentation.", "opentelemetry-instrumentation-")
        self._missing[library.name] = distribution.replace("_", "-")
        _LOG.warning("homeostat: %s is not instrumented: pip install %s", library.name, self._missing[library.name])

    def _instrument(self, library: Library) -> None:
        # Contrib's packages write old names of attributes unless told otherwise; ours knows the stable ones only.
        self._waiting.remove(library.name)
        os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", _STABLE)
        try:
            instrumentor = getattr(importlib.import_module(library.package), library.instrumentor)()
            if instrumentor.is_instrumented_by_opentelemetry:
                self._foreign.append(library.name)
                return
            instrumentor.instrument()
            # Contrib refuses versions it does not know with a log line of its own, and is then not instrumented.
            if instrumentor.is_instrumented_by_opentelemetry:
                self._done.append((library, instrumentor))
        except Exception as error:
            self._missing[library.name] = library.package
            _LOG.warning("homeostat: %s is not instrumented: %s: %s", library.name, type(error).__name__, error)
