import pytest

from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.printing import show
from tests.unit.query.traceql import interpreter
from tests.unit.query.traceql.conftest import StoredWorld
from tests.unit.query.traceql.table import ARROW, ask_instant, ask_range, ask_search, refusal, rows
from tests.unit.query.traceql.world import WINDOW_NS, WORLD

SEARCHES = list(rows("searches.txt"))
RANGES = list(rows("ranges.txt"))
INSTANTS = list(rows("instants.txt"))
REFUSALS = list(rows("refusals.txt"))


@pytest.mark.parametrize(("query", "expected"), SEARCHES, ids=[query for query, _ in SEARCHES])
def test_a_search_finds_what_the_table_says(world: StoredWorld, query: str, expected: str) -> None:
    """In the real engine; `python -m tests.unit.query.traceql.table` writes the table again."""
    assert ask_search(world, query) == expected


@pytest.mark.parametrize("query", [query for query, _ in SEARCHES])
def test_the_table_agrees_with_the_interpreter(query: str) -> None:
    """What is expected is not only what the engine happens to say."""
    expected = dict(SEARCHES)[query]
    told = {
        trace: sorted(sorted(part.partition(" [")[0].split()) for part in spansets.split(" / "))
        for trace, _, spansets in (item.partition(": ") for item in _traces(expected))
    }
    assert _found(query) == told


def _traces(expected: str) -> list[str]:
    return [] if expected == "nothing" else expected.split("; ")


def _found(query: str) -> dict[str, list[list[str]]]:
    return interpreter.search(parse(query), WORLD, *WINDOW_NS)


@pytest.mark.parametrize(("query", "expected"), RANGES, ids=[query for query, _ in RANGES])
def test_a_metric_over_time_is_what_the_table_says(world: StoredWorld, query: str, expected: str) -> None:
    """A value for each minute in which there is one."""
    assert ask_range(world, query) == expected


@pytest.mark.parametrize(("query", "expected"), INSTANTS, ids=[query for query, _ in INSTANTS])
def test_a_metric_of_the_window_is_what_the_table_says(world: StoredWorld, query: str, expected: str) -> None:
    """One value a series, at the window's end."""
    assert ask_instant(world, query) == expected


@pytest.mark.parametrize(("query", "expected"), REFUSALS, ids=[query for query, _ in REFUSALS])
def test_a_query_is_refused_as_the_table_says(world: StoredWorld, query: str, expected: str) -> None:
    """With the place of the fault and what to do about it."""
    assert refusal(world, query) == expected


@pytest.mark.parametrize("query", [query for query, _ in (*SEARCHES, *RANGES, *INSTANTS)])
def test_a_printed_query_reads_the_same(query: str) -> None:
    """Printing loses nothing."""
    assert parse(show(parse(query))) == parse(query)


def test_the_tables_are_large_enough() -> None:
    """Their size is a promise."""
    assert len(SEARCHES) + len(RANGES) + len(INSTANTS) + len(REFUSALS) >= 400
    assert all(ARROW not in query for query, _ in SEARCHES)
