import re
from pathlib import Path

import pytest

from homeostat_server.query.traceql.checking import BY_MAX, DEPTH_MAX, FILTERS_MAX, NODES_MAX, parse
from homeostat_server.query.traceql.errors import TraceqlUnsupported
from homeostat_server.query.traceql.names import HINTS, INTRINSIC_WORDS, METRICS
from homeostat_server.query.traceql.parsing import LENGTH_MAX
from tests.unit.query.traceql.conftest import StoredWorld
from tests.unit.query.traceql.table import ask_range, ask_search

PAGE = (Path(__file__).parents[4] / "docs" / "traces" / "traceql.md").read_text(encoding="utf-8")


def examples(kind: str) -> list[str]:
    """Return the queries of the page's blocks of a kind."""
    blocks = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.mark.parametrize("query", examples("traceql"))
def test_an_example_of_the_page_is_answered(world: StoredWorld, query: str) -> None:
    """The page shows nothing that does not work."""
    ask = ask_search if parse(query).metric is None else ask_range
    assert ask(world, query)


@pytest.mark.parametrize("query", examples("traceql-unsupported"))
def test_what_the_page_calls_refused_is_refused_by_name(query: str) -> None:
    """And says what is not supported."""
    with pytest.raises(TraceqlUnsupported) as refused:
        parse(query)
    assert refused.value.feature


def test_the_page_names_every_intrinsic_and_metric_and_the_bounds() -> None:
    """What the code knows is on the page."""
    assert [word for word in (*INTRINSIC_WORDS, *METRICS) if word not in PAGE] == []
    assert [bound for bound in (LENGTH_MAX, FILTERS_MAX, DEPTH_MAX, NODES_MAX) if f"{bound:,}" not in PAGE] == []
    assert BY_MAX == 5
    assert "exemplars" in HINTS
