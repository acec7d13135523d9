"""The tables of queries beside this file: read, and written again with what the real engine answers.

`python -m tests.unit.query.traceql.table` writes; look at the difference before it is committed.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from homeostat_server.exceptions import HomeostatError, QueryLimit
from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.errors import TraceqlError
from homeostat_server.query.traceql.measuring import metrics_instant, metrics_range
from homeostat_server.query.traceql.results import FoundSpanset, FoundTraces, NamedValue, Series
from homeostat_server.query.traceql.searching import search
from tests.telemetry_store import filled_store
from tests.unit.query.traceql.conftest import StoredWorld, stored
from tests.unit.query.traceql.world import BEGIN_NS, MS, WORLD, span_id, trace_id

FOLDER = Path(__file__).parent
ARROW = " ==> "
STEP_NS = 60_000 * MS

_LABELS = {span_id(span.label).hex(): span.label for span in WORLD}
_TRACES = {trace_id(span.trace).hex(): span.trace for span in WORLD}


def rows(name: str) -> Iterator[tuple[str, str]]:
    """Yield the queries of a table with what is expected of them."""
    for line in (FOLDER / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            query, _, expected = line.partition(ARROW)
            yield query, expected


def show_found(found: FoundTraces) -> str:
    """Return what a search found as the table says it."""
    traces = sorted((_TRACES[trace.trace_id], trace) for trace in found.traces)
    return (
        "; ".join(f"{label}: {' / '.join(sorted(map(_spanset, trace.spansets)))}" for label, trace in traces)
        or "nothing"
    )


def _spanset(spanset: FoundSpanset) -> str:
    shown = " ".join(sorted(_LABELS[span.span_id] for span in spanset.spans))
    told = f" [{', '.join(map(_named, spanset.attributes))}]" if spanset.attributes else ""
    return f"{shown}{told}"


def _named(named: NamedValue) -> str:
    return f"{named.name}={named.value.value}"


def show_series(series: tuple[Series, ...]) -> str:
    """Return series as the table says them: labels, then the value of each minute after the begin of the world."""
    return "; ".join(f"{{{', '.join(map(_named, line.labels))}}} {_samples(line)}" for line in series) or "nothing"


def _samples(line: Series) -> str:
    begin_ms = (BEGIN_NS - BEGIN_NS % STEP_NS) // MS
    return " ".join(f"{(sample.time_ms - begin_ms) // 60_000}:{sample.value:.5g}" for sample in line.samples)


def ask_search(world: StoredWorld, query: str) -> str:
    """Return what a search finds."""
    found = search(
        world.reader, tenant=world.tenant, window=world.window, query=parse(query), limit=50, spans_per_spanset=50
    )
    return show_found(found)


def ask_range(world: StoredWorld, query: str) -> str:
    """Return the series of a query."""
    return show_series(
        metrics_range(world.reader, tenant=world.tenant, window=world.window, query=parse(query), step_ns=STEP_NS)
    )


def ask_instant(world: StoredWorld, query: str) -> str:
    """Return the series of a query over the whole window."""
    return show_series(metrics_instant(world.reader, tenant=world.tenant, window=world.window, query=parse(query)))


def refusal(_: StoredWorld, query: str) -> str:
    """Return why a query is refused."""
    try:
        parse(query)
    except TraceqlError as error:
        return f"{error.place.line}:{error.place.column} {error.reason}" + (f" ({error.hint})" if error.hint else "")
    except QueryLimit as error:
        return f"limit {error.value}"
    return "taken"


ASKED: dict[str, Callable[[StoredWorld, str], str]] = {
    "searches.txt": ask_search,
    "ranges.txt": ask_range,
    "instants.txt": ask_instant,
    "refusals.txt": refusal,
}


def _written(line: str, ask: Callable[[StoredWorld, str], str], world: StoredWorld) -> str:
    if not line or line.startswith("#"):
        return line
    query = line.partition(ARROW)[0]
    try:
        return f"{query}{ARROW}{ask(world, query)}"
    except HomeostatError as error:
        return f"{query}{ARROW}FAILED {error}"


def main() -> None:
    """Write the tables again."""
    with tempfile.TemporaryDirectory() as folder, filled_store(Path(folder)) as filled:
        world = stored(filled, WORLD)
        for name, ask in ASKED.items():
            path = FOLDER / name
            lines = path.read_text(encoding="utf-8").splitlines()
            path.write_text("\n".join(_written(line, ask, world) for line in lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
