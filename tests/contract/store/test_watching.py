import time
from threading import Thread
from typing import Final

import pyarrow as pa
import pytest

from homeostat_server.exceptions import HomeostatError, InvalidRequest, QueryCancelled, QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import TelemetryReader
from homeostat_server.store.watched import QueryWatch, Scanned
from tests import otlp
from tests.contract.store.conftest import LIMITS, World
from tests.contract.store.test_time_limits import HEAVY
from tests.waiting import until

ASKER: Final = Tenant("asker")
SOON_S: Final = LIMITS.duration_s / 2
"""A question that is cancelled has ended by then, although it may last twice as long."""


class Question(Thread):
    """Ask what lasts until it is cancelled or its time is over, and keep how it ended."""

    def __init__(self, world: World, *, sql: str = HEAVY) -> None:
        """Ask from a thread, under a watch."""
        super().__init__()
        self.watch = QueryWatch()
        self.ending: HomeostatError | None = None
        self._reader = world.store.watched(self.watch)
        self._sql = sql
        self.start()

    def run(self) -> None:
        """Ask."""
        try:
            self._reader.read(ASKER, self._sql, {})
        except HomeostatError as ending:
            self.ending = ending

    def cancelled(self, *, after_s: float = 0.0) -> float:
        """Cancel it, and return how long it then took to end."""
        self.join(after_s)
        assert self.is_alive() or not after_s
        began_s = time.monotonic()
        self.watch.cancel()
        self.join()
        return time.monotonic() - began_s


def test_an_answer_by_columns_has_what_the_rows_have(world: World) -> None:
    """The same values in the same order; text as bytes, ids of their width, numbers of theirs."""
    sql = (
        "SELECT number AS n, toString(number) AS t, toFixedString('ab', 2) AS id, toUInt8(number) AS small,"
        " toLowCardinality('word') AS word FROM numbers(3) ORDER BY n DESC"
    )
    table = world.store.read_table(ASKER, sql, {})
    assert table.schema.field("n").type == pa.uint64()
    assert table.schema.field("t").type == pa.binary()
    assert table.schema.field("id").type == pa.binary(2)
    assert table.schema.field("small").type == pa.uint8()
    assert table.schema.field("word").type == pa.binary()
    assert table.to_pylist() == world.store.read(ASKER, sql, {})


def test_no_rows_by_columns_are_columns(world: World) -> None:
    """Whoever counts on a column finds it."""
    table = world.store.read_table(ASKER, "SELECT name, duration_ns FROM telemetry.spans", {})
    assert (table.num_rows, table.column_names) == (0, ["name", "duration_ns"])


def test_a_question_by_columns_has_the_same_bounds(world: World) -> None:
    """It is refused for what it may not ask, and for what it may not cost."""
    with pytest.raises(InvalidRequest):
        world.store.read_table(ASKER, "SELECT 1 FROM system.parts", {})
    with pytest.raises(QueryLimit):
        world.store.read_table(ASKER, f"SELECT number FROM numbers({LIMITS.rows_max + 1})", {})


def test_a_watch_adds_up_what_is_read(world: World) -> None:
    """Rows and bytes that were read from tables, of all statements; an answer of one row may have read many."""
    tenant = world.tenant()
    world.insert(tenant, otlp.traces(*[otlp.span()] * 7))
    watch = QueryWatch()
    reader = world.store.watched(watch)
    assert reader.scanned == Scanned(rows=0, bytes=0)
    sql = "SELECT sum(duration_ns) AS n FROM telemetry.spans WHERE tenant = {tenant:String}"
    reader.read(tenant, sql, {"tenant": tenant})
    first = reader.scanned
    assert first.rows == 7
    assert first.bytes > 7 * 8
    reader.read_table(tenant, sql, {"tenant": tenant})
    assert reader.scanned == watch.scanned == Scanned(rows=2 * first.rows, bytes=2 * first.bytes)
    other = world.store.watched(QueryWatch())
    assert other.scanned.rows == 0


@pytest.mark.parametrize("sql", [HEAVY, f"/* KILL QUERY */ {HEAVY}", f"-- */\n{HEAVY} -- KILL"])
def test_a_cancelled_question_ends_soon(world: World, sql: str) -> None:
    """Whatever stands in its text; it is told from one that reached a bound or could not be answered."""
    question = Question(world, sql=sql)
    assert question.cancelled(after_s=0.3) < SOON_S
    assert isinstance(question.ending, QueryCancelled)


@pytest.mark.parametrize("after_s", [0.0, 0.001, 0.003, 0.01, 0.03])
def test_a_question_is_cancelled_whatever_it_is_doing(world: World, after_s: float) -> None:
    """Also while it waits for a session, is examined, or has begun here and not yet in the engine."""
    question = Question(world, sql=f"{HEAVY} AND number != {after_s}")
    assert question.cancelled(after_s=after_s) < SOON_S
    assert isinstance(question.ending, QueryCancelled)


def test_nothing_is_asked_after_cancel(world: World) -> None:
    """Each further statement of the question is refused at once, and so is its work between two."""
    watch = QueryWatch()
    reader = world.store.watched(watch)
    reader.read(ASKER, "SELECT 1 AS one", {})
    reader.check()
    watch.cancel()
    watch.cancel()
    for ask in (reader.read, reader.read_table):
        with pytest.raises(QueryCancelled):
            ask(ASKER, "SELECT 1 AS one", {})
    with pytest.raises(QueryCancelled):
        reader.check()


def test_only_the_question_that_is_meant_is_cancelled(world: World) -> None:
    """Another one of the same text and tenant goes on."""
    first, second = Question(world), Question(world)
    first.cancelled(after_s=0.3)
    assert second.is_alive()
    assert second.cancelled(after_s=0.1) < SOON_S
    assert isinstance(second.ending, QueryCancelled)


def test_sessions_answer_on_after_cancelling(world: World) -> None:
    """However many questions were cancelled, the next ones are answered, never with nothing."""
    for _ in range(6):
        Question(world).cancelled(after_s=0.05)
        for reader in (world.store, world.store.watched(QueryWatch())):
            assert answers(reader) == [{"one": 1}]


def answers(reader: TelemetryReader) -> object:
    """Return an answer."""
    return reader.read(ASKER, "SELECT 1 AS one", {})


def test_cancelling_waits_for_no_other_question(world: World) -> None:
    """With every session busy, the one that is meant still ends, and the one that waited gets its place."""
    busy = [Question(world) for _ in range(4)]
    waiting = Question(world)
    assert until(lambda: all(question.is_alive() for question in busy))
    assert busy[0].cancelled(after_s=0.2) < SOON_S
    for question in (waiting, *busy[1:]):
        assert question.cancelled() < SOON_S
        assert isinstance(question.ending, QueryCancelled)
