"""Trace answers: `make bench-traces`, or `python -m benchmarks.traces --spans 20000000 --data DIR`.

A real `homeostat up` is started on a copy of the data set (parts as hard links), and asked over one kept-alive
connection: questions of each kind that do not count, then as many others as there are rounds, each with other traces,
hours, services and values. Cold: a fresh process, no page of the data in memory, its first question.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Section, at_most, exactly
from benchmarks.platform_process import Setup, running
from benchmarks.processes import Watch
from benchmarks.reporting import RESULTS, parser, report
from benchmarks.traces import measurement
from benchmarks.traces.client import Asked, Client
from benchmarks.traces.dataset import SPANS, Dataset, clone, ensure
from benchmarks.traces.measurement import Answers
from benchmarks.traces.questions import Question, questions
from benchmarks.traces.subjects import Subjects

COLD_MS_MAX: Final = 80
SCANNED_RATIO_MAX: Final = 1.1
SMALLER: Final = 4
"""How much smaller the set is with which what one window reads is compared."""

_ROUNDS_COMPARED: Final = 10
_SHOWN_BYTES: Final = 300
_MEGABYTE: Final = 1_000_000
_SCANNED: Final = ("scanned", "bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what to measure.

    Attributes:
        data: folder of the data set; made when it is not there.
        smaller: folder of a set of a quarter of the spans, to compare with; None to compare nothing.
        spans: of the data set, where it is made.
        rounds: how often a usual question is asked.
        cold: how many processes are started for cold answers.
        only: questions whose name has this in it.
        seed: which traces, hours and values.
    """

    data: Path
    smaller: Path | None
    spans: int
    rounds: int
    cold: int
    only: str = ""
    seed: int = 1

    @property
    def questions(self) -> list[Question]:
        """Return what is asked."""
        return [question for question in questions() if self.only in question.name]


def sections(plan: Plan) -> Iterator[Section]:
    """Measure on one set after the other."""
    dataset = ensure(plan.data, spans=plan.spans)
    with tempfile.TemporaryDirectory(prefix="homeostat-traces-", dir=plan.data.parent) as name:
        copy = Path(name) / "data"
        clone(plan.data, copy)
        yield from _warm(plan, dataset, copy)
        if plan.cold:
            subjects = Subjects(dataset, seed=plan.seed + 1)
            asked = [Asked(f"/api/v1/traces/{trace}") for trace in subjects.trace_ids(plan.cold)]
            answers = measurement.ask_cold(copy, asked)
            yield _section("trace by id, cold", answers, p95_ms_max=COLD_MS_MAX)
        if plan.smaller is not None:
            yield from _compared(plan, dataset, copy)


def _warm(plan: Plan, dataset: Dataset, data: Path) -> Iterator[Section]:
    measurement.read_pages(data)
    with running(Setup(data=data)) as platform, Watch(platform.pid) as watch:
        client = Client(platform.http_port)
        for question in plan.questions:
            subjects = Subjects(dataset, seed=plan.seed)
            answers = measurement.ask_warm(client, question, subjects, rounds=plan.rounds)
            yield _section(question.name, answers, p95_ms_max=question.p95_ms_max)
        client.close()
    usage = watch.usage
    figures = [
        Figure("ready", platform.ready_s, "s"),
        Figure("resident", usage.resident_bytes_max / _MEGABYTE, "MB"),
        Figure("CPU", usage.cpu_s, "s"),
    ]
    yield Section(f"the platform on {dataset.spans:,} spans", figures)


def _section(title: str, answers: Answers, *, p95_ms_max: float | None) -> Section:
    for failed in answers.failed[:1]:
        print(f"\n{title}: answered {failed.status}: {failed.body[:_SHOWN_BYTES]!r}", file=sys.stderr, flush=True)
    target = None if p95_ms_max is None else at_most(p95_ms_max)
    figures = [
        Figure("asked", len(answers.answers), "questions"),
        Figure("not answered", len(answers.failed), "questions", exactly(0)),
    ]
    if len(answers.failed) < len(answers.answers):
        figures += [
            Figure("p50", answers.percentile_ms(0.5), "ms"),
            Figure("p95", answers.percentile_ms(0.95), "ms", target),
            Figure("max", answers.percentile_ms(1), "ms"),
        ]
    scanned = answers.median_of(*_SCANNED)
    if scanned is not None:
        figures.append(Figure("read", scanned / _MEGABYTE, "MB"))
    return Section(title, figures)


def _compared(plan: Plan, dataset: Dataset, data: Path) -> Iterator[Section]:
    """Compare what questions about the newest hour read, of this set and of its own last quarter."""
    assert plan.smaller is not None
    smaller = ensure(plan.smaller, spans=dataset.spans // SMALLER, end_ns=dataset.end_ns)
    with tempfile.TemporaryDirectory(prefix="homeostat-traces-", dir=plan.smaller.parent) as name:
        copy = Path(name) / "data"
        clone(plan.smaller, copy)
        large, small = _scanned(plan, dataset, data), _scanned(plan, smaller, copy)
    figures = [
        Figure(name, large[name] / small[name], "times", at_most(SCANNED_RATIO_MAX))
        for name in large
        if small.get(name)
    ]
    yield Section(f"bytes read of an hour, {dataset.spans:,} against {smaller.spans:,} spans", figures)


def _scanned(plan: Plan, dataset: Dataset, data: Path) -> dict[str, float]:
    found = {}
    with running(Setup(data=data)) as platform:
        client = Client(platform.http_port)
        for question in plan.questions:
            if question.windowed:
                subjects = Subjects(dataset.newest_hour(), seed=plan.seed)
                answers = measurement.ask_warm(client, question, subjects, rounds=_ROUNDS_COMPARED)
                found[question.name] = answers.median_of(*_SCANNED) or 0.0
        client.close()
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the arguments say."""
    options_of = parser("traces", __doc__)
    options_of.add_argument("--spans", type=int, default=SPANS, help="of the data set; rounded to 100,000s")
    options_of.add_argument("--data", type=Path, help="folder of the data set, kept; made when it is not there")
    options_of.add_argument("--smaller", type=Path, help="folder of a set of a quarter of the spans")
    options_of.add_argument("--rounds", type=int, default=40, help="how often a usual question is asked")
    options_of.add_argument("--cold", type=int, default=10, help="processes that are started for cold answers")
    options_of.add_argument("--only", default="", help="questions whose name has this in it")
    options = options_of.parse_args(arguments)
    data = options.data or RESULTS / f"traces-{options.spans}"
    plan = Plan(
        data=data,
        smaller=options.smaller or data.with_name(f"{data.name}-quarter"),
        spans=options.spans,
        rounds=options.rounds,
        cold=options.cold,
        only=options.only,
    )
    report("traces", sections(plan), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
