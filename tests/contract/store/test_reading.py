import math
from dataclasses import replace
from threading import Event, Thread

import pytest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.exceptions import InvalidRequest, QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import Parameter
from tests import otlp
from tests.contract.store.conftest import LIMITS, World

ASKER = Tenant("asker")


def test_an_answer_is_rows_by_name_in_the_order_asked_for(world: World) -> None:
    """Rows are as the query orders them, columns as it names them."""
    rows = world.store.read(ASKER, "SELECT number AS n FROM numbers(4) ORDER BY n DESC", {})
    assert rows == [{"n": 3}, {"n": 2}, {"n": 1}, {"n": 0}]


def test_no_rows_is_an_empty_list(world: World) -> None:
    """Not an error, not None."""
    assert world.store.read(ASKER, "SELECT * FROM telemetry.spans", {}) == []


def test_kinds_of_values_come_as_the_port_says(world: World) -> None:
    """Text is bytes, numbers are numbers, arrays are lists, maps are lists of pairs, a missing value is None."""
    sql = (
        "SELECT 'é' AS text, toFixedString('ab', 2) AS id, toUInt64(18446744073709551615) AS large, -1 AS small,"
        " 0.5 AS real, nan AS none, [1, 2] AS numbers, ['a', ''] AS texts, map('k', 'v', 'k', 'w') AS pairs,"
        " CAST(NULL, 'Nullable(Int64)') AS missing, true AS yes"
    )
    row = world.store.read(ASKER, sql, {})[0]
    none = row.pop("none")
    assert isinstance(none, float)
    assert math.isnan(none)
    assert row == {
        "text": "é".encode(),
        "id": b"ab",
        "large": 2**64 - 1,
        "small": -1,
        "real": 0.5,
        "numbers": [1, 2],
        "texts": [b"a", b""],
        "pairs": [(b"k", b"v"), (b"k", b"w")],
        "missing": None,
        "yes": True,
    }


def test_parameters_stand_for_values_of_the_type_that_is_written(world: World) -> None:
    """Text, whole and real numbers; the same one as often as it is named."""
    sql = "SELECT {t:String} AS t, {n:Int64} AS n, {r:Float64} AS r, {u:UInt64} AS u, {t:String} AS again"
    parameters: dict[str, Parameter] = {"t": "it's {n:Int64} \\ \t ' \" -- /*", "n": -(2**63), "r": 0.1, "u": 2**64 - 1}
    assert world.store.read(ASKER, sql, parameters) == [{**_encoded(parameters), "again": _encoded(parameters)["t"]}]


def _encoded(values: dict[str, Parameter]) -> dict[str, object]:
    return {name: value.encode() if isinstance(value, str) else value for name, value in values.items()}


UNKNOWN = [
    "",
    ";",
    "SELECT",
    "SELECT no_such_column FROM telemetry.spans",
    "SELECT 1 FROM telemetry.no_such_table",
    "SELECT no_such_function(1)",
    "SELECT {not_given:String}",
    "SELECT {n:Int64} + 1",
    "SELECT 1; SELECT 2",
    "hello",
    "SELECT '\ud800'",
    "SELECT '\0'",
    f"SELECT {'(' * 2_000}1{')' * 2_000}",
    f"SELECT {'-(' * 700}1{')' * 700}",
]


@pytest.mark.parametrize("sql", UNKNOWN)
def test_what_is_not_understood_is_the_askers_to_mend(world: World, sql: str) -> None:
    """It is an invalid request, not a failure of the store, and asking again is of no use."""
    with pytest.raises(InvalidRequest) as refusal:
        world.store.read(ASKER, sql, {"n": "no number"})
    assert not refusal.value.retryable


def test_a_parameter_that_is_no_text_is_the_askers_to_mend(world: World) -> None:
    """A lone surrogate has no bytes."""
    with pytest.raises(InvalidRequest):
        world.store.read(ASKER, "SELECT {t:String}", {"t": "\ud800"})


COSTLY = [
    f"SELECT number FROM numbers({LIMITS.rows_max + 1})",
    f"SELECT materialize(repeat('x', 100000)) AS t FROM numbers({LIMITS.result_bytes_max // 100_000 + 10})",
    "SELECT groupArray(number) AS n FROM numbers(1000000000)",
    "SELECT groupArray(repeat('x', 1000)) AS n FROM numbers(1000000)",
]


@pytest.mark.parametrize("sql", COSTLY)
def test_a_question_that_reaches_a_bound_gets_nothing(world: World, sql: str) -> None:
    """Rows, bytes and memory are bounded, and half an answer is none."""
    with pytest.raises(QueryLimit):
        world.store.read(ASKER, sql, {})


def test_a_session_answers_on_after_refusals(world: World) -> None:
    """What a question did wrong does not stick to the next one: above all, it is not answered with nothing."""
    for sql in ["SELECT nothing", *COSTLY, "SELECT {a:String}", "SELECT throwIf(number = 5) FROM numbers(9)"]:
        with pytest.raises((InvalidRequest, QueryLimit)):
            world.store.read(ASKER, sql, {})
        assert world.store.read(ASKER, "SELECT 1 AS one", {}) == [{"one": 1}]


def test_reads_during_inserts_see_whole_segments_and_no_orphan(world: World) -> None:
    """A segment's spans appear together, after the source that they name."""
    tenant, size = world.tenant(), 50
    done = Event()
    seen: list[tuple[object, object]] = []

    def watch() -> None:
        sql = (
            "SELECT count() AS spans, countIf(source NOT IN (SELECT source FROM telemetry.sources)) AS orphans"
            " FROM telemetry.spans"
        )
        while not done.is_set():
            row = world.store.read(tenant, sql, {})[0]
            seen.append((row["spans"], row["orphans"]))

    watchers = [Thread(target=watch) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    for number in range(8):
        resource = Resource(attributes=otlp.attributes(number))
        world.insert(tenant, otlp.traces(*[otlp.span()] * size, resource=resource))
    done.set()
    for watcher in watchers:
        watcher.join()
    assert len(seen) > 2
    assert all(isinstance(spans, int) and spans % size == 0 and orphans == 0 for spans, orphans in seen)
    assert world.count(tenant, "spans") == 8 * size


def test_segments_of_all_signals_are_stored_at_once(world: World) -> None:
    """Three committers and readers beside them do not get into each other's way."""
    tenant = world.tenant()
    requests = [otlp.traces(otlp.span()), otlp.logs(otlp.record()), otlp.metrics(otlp.metric(otlp.number()))]
    segments = [[world.segment(tenant, request) for _ in range(3)] for request in requests]

    def commit(number: int) -> None:
        for segment in segments[number]:
            world.store.insert_segment(segment)
            world.store.insert_segment(replace(segment, replay=True))

    committers = [Thread(target=commit, args=(number,)) for number in range(3)]
    for committer in committers:
        committer.start()
    for committer in committers:
        committer.join()
    assert world.counts(tenant, "spans", "logs", "samples", "series", "sources") == (3, 3, 3, 1, 1)


def test_statistics_count_all_tenants(world: World) -> None:
    """They are the engine's own view: every table, no tenant."""
    before = {table.table: table.rows for table in world.store.statistics().tables}
    for tenant in (world.tenant(), world.tenant()):
        world.insert(tenant, otlp.logs(otlp.record(), otlp.record()))
    statistics = world.store.statistics()
    after = {table.table: table for table in statistics.tables}
    assert after["logs"].rows - before.get("logs", 0) == 4
    assert after["logs"].parts > 0
    assert after["logs"].size_bytes > 0
    assert statistics.memory_bytes > 0
