"""How a question reaches the engine: examined, in a session of its tenant, under its watch. It knows no table."""

import secrets
from collections.abc import Mapping
from functools import partial
from typing import Final

import pyarrow as pa

from homeostat_server.exceptions import HomeostatError, QueryCancelled
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import Parameter, Row
from homeostat_server.store.telemetry.questions import PARSE, Examiner
from homeostat_server.store.telemetry.readers import ReaderPool
from homeostat_server.store.telemetry.session import Answered, Session
from homeostat_server.store.watched import QueryWatch, Scanned

MARK_BYTES: Final = 16
"""Nobody guesses so many, so no question can stand in for another one that is to be stopped."""


class Asker:
    """Ask the engine for tenants. Thread-safe."""

    def __init__(self, readers: ReaderPool, *, stopper: Session) -> None:
        """Take the sessions that questions run in, and one that stops them: it is kept free for that."""
        self._readers = readers
        self._stopper = stopper
        self._examiner = Examiner()

    def ask(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> Answered:
        """Answer one question; see the port."""
        with self._readers.session(tenant) as session:
            self._examine(session, sql)
            return session.answer(sql, parameters)

    def ask_watched(self, watch: QueryWatch, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Answer one question under a watch; see the port."""
        watch.check()
        mark = secrets.token_hex(MARK_BYTES)
        with self._readers.session(tenant) as session:
            watch.check()
            self._examine(session, sql)
            try:
                with watch.statement(partial(self._stopper.stop, mark)):
                    answered = session.answer(sql, parameters, mark=mark)
            except HomeostatError as error:
                if watch.is_cancelled:
                    raise QueryCancelled("answer a query") from error
                raise
        watch.count(answered.scanned)
        return answered.table

    def _examine(self, session: Session, sql: str) -> None:
        def parse(question: str) -> bytes:
            [row] = session.rows(PARSE, {"question": question})
            tree = row["tree"]
            assert isinstance(tree, bytes)  # text leaves a session as bytes
            return tree

        self._examiner.examine(sql, parse=parse)


class WatchedSessions:
    """Implement `homeostat_server.store.ports.WatchedReader` on the engine."""

    def __init__(self, asker: Asker, watch: QueryWatch) -> None:
        """Ask under a watch."""
        self._asker = asker
        self._watch = watch

    @property
    def scanned(self) -> Scanned:
        """Say how much was read; see the port."""
        return self._watch.scanned

    def check(self) -> None:
        """Raise when the question was called off; see the port."""
        self._watch.check()

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Answer a question; see the port."""
        table = self.read_table(tenant, sql, parameters)
        rows: list[Row] = table.to_pylist()
        return rows

    def read_table(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> pa.Table:
        """Answer a question by columns; see the port."""
        return self._asker.ask_watched(self._watch, tenant, sql, parameters)
