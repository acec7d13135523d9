from pathlib import Path

import pytest

from homeostat_server.query.binding import Binder
from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.cells import CellsReader
from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.compiling import Compiler
from homeostat_server.query.traceql.planning import any_filter, narrow
from homeostat_server.query.traceql.reading import RowsReader, asking_for
from homeostat_server.query.traceql.tree import Metric

GOLDEN = Path(__file__).parents[3] / "golden" / "query" / "traceql"

SEARCHES = {
    "everything": "{ }",
    "service_status_duration": (
        '{ resource.service.name = "x" && span.http.response.status_code >= 500 && duration > 100ms }'
    ),
    "attribute_equality": '{ span.user.id = "u" }',
    "either_scope": '{ .region != "eu" }',
    "resource_and_instrumentation": '{ resource.host.name =~ "h.*" && instrumentation:name = "lib" }',
    "trace_facts": '{ rootServiceName = "x" && traceDuration > 1s }',
    "child_count": "{ span:childCount > 5 }",
    "events_and_links": '{ event.exception.type != "E" && link:traceID = "ab" }',
    "arithmetic": "{ span.a * 2 > resource.b }",
    "spansets": '{ name = "a" } && { name = "b" } | count() > 2',
    "structure": '{ name = "a" } >> { status = error } | by(span.x) | select(.y, resource.z)',
}
METRICS = {
    "rate": "{ } | rate() by(resource.service.name)",
    "quantiles": "{ kind = server } | quantile_over_time(duration, .5, .99) by(span.http.route)",
    "histogram": "{ } | histogram_over_time(duration)",
    "of_traces": "{ status = error } | count() > 2 | sum_over_time(span.bytes)",
}


def statements() -> dict[str, str]:
    """Return statements by the names of their files."""
    made = {}
    for name, query in SEARCHES.items():
        pipeline, binder = parse(query).pipeline, Binder()
        reader, compiler = RowsReader(pipeline, binder), Compiler(binder)
        if reader.is_plain:
            made[f"found_{name}"] = reader.found_statement(3)
        else:
            asked, having = asking_for(any_filter(pipeline, compiler)), narrow(pipeline, compiler).having
            made[f"candidates_{name}"] = sql.candidates(asked, joins=compiler.joins, having=having, after=True)
        made[f"rows_{name}"] = reader.statement(per_trace=reader.is_plain)
    for name, text in METRICS.items():
        asked_for = parse(text)
        assert isinstance(asked_for.metric, Metric)
        cells = CellsReader(asked_for.pipeline, asked_for.metric, exemplars=name == "rate")
        made[f"cells_{name}"] = cells.statement
    asked = asking_for(any_filter(parse("{ kind = server }").pipeline, Compiler(Binder())))
    made["compared_intrinsics"] = sql.compared_intrinsics(asked, selected="status_code = 2", joins=[])
    made["compared_attributes"] = sql.compared_attributes(asked, selected="status_code = 2", joins=[])
    made["compared_sources"] = sql.compared_sources(asked, selected="status_code = 2", joins=[])
    return made | {"bounds": sql.BOUNDS, "summaries": sql.SUMMARIES}


STATEMENTS = statements()


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_the_sql_is_the_one_in_the_golden_file(name: str) -> None:
    """A change of a statement shows in review; `python -m tests.unit.query.traceql.test_sql` writes the files again."""
    assert STATEMENTS[name] + "\n" == (GOLDEN / f"{name}.sql").read_text(encoding="utf-8")


def test_every_golden_file_is_of_a_statement() -> None:
    """None is left over."""
    assert {path.stem for path in GOLDEN.glob("*.sql")} == STATEMENTS.keys()


@pytest.mark.parametrize("name", sorted(STATEMENTS))
def test_every_statement_names_its_tenant_wherever_it_reads(name: str) -> None:
    """The sorting key begins with the tenant: without it a question reads everybody's granules."""
    statement = STATEMENTS[name]
    assert statement.count("FROM telemetry.") == statement.count("tenant = {tenant:String}")


@pytest.mark.parametrize("word", ["region", "user.id", "exception.type", "h.*", "lib", "eu", "http.route"])
def test_what_a_caller_says_is_never_part_of_the_sql(word: str) -> None:
    """Every text is bound."""
    assert not any(word in statement for statement in STATEMENTS.values())


if __name__ == "__main__":
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for statement_name, statement in STATEMENTS.items():
        (GOLDEN / f"{statement_name}.sql").write_text(statement + "\n", encoding="utf-8")
