"""How spans lie on the disk: `python -m benchmarks.layout`, a section a candidate."""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import Figure, Section
from benchmarks.layout.candidates import Candidate, encodings, indexes, orders
from benchmarks.layout.questions import Subjects, ask_all, choose_subjects
from benchmarks.layout.workshop import Filled, Segment, Workshop, write_segments
from benchmarks.reporting import parser, report
from homeostat_server.runtime.settings import Settings

_COLUMNS_SHOWN: Final = 6
GROUPS: Final = {"orders": orders, "indexes": indexes, "encodings": encodings}


def sections(candidates: Sequence[Candidate], *, spans: int) -> Iterator[Section]:
    """Try the candidates on the same spans."""
    with tempfile.TemporaryDirectory(prefix="homeostat-layout-") as name:
        folder = Path(name)
        segment_bytes = Settings().spool_segment_bytes_max
        segments = list(write_segments(folder, spans=spans, segment_bytes=segment_bytes))
        workshop = Workshop(folder / "telemetry")
        subjects: Subjects | None = None
        for candidate in candidates:
            filled, answers, subjects = _try(workshop, candidate, segments, subjects)
            yield Section(f"{candidate.name}, {spans:,} spans", list(_figures(filled, answers)))
        workshop.close()


def _try(
    workshop: Workshop, candidate: Candidate, segments: Sequence[Segment], subjects: Subjects | None
) -> tuple[Filled, dict[str, float], Subjects | None]:
    filled = workshop.fill(candidate, segments)
    answers = {}
    if candidate.asked:
        subjects = subjects or choose_subjects(workshop, candidate.table.name)
        answers = ask_all(workshop, candidate.table.name, subjects)
    workshop.drop(candidate)
    return filled, answers, subjects


def _figures(filled: Filled, answers: dict[str, float]) -> Iterator[Figure]:
    yield Figure("on disk", filled.per_span(filled.size_bytes), "bytes/span")
    yield Figure("of it indexes", filled.per_span(filled.index_bytes), "bytes/span")
    largest = sorted(filled.columns.items(), key=lambda column: -column[1])[:_COLUMNS_SHOWN]
    for name, size_bytes in largest:
        yield Figure(f"of it {name}", filled.per_span(size_bytes), "bytes/span")
    yield Figure("insert CPU", filled.insert_cpu_us, "µs/span")
    yield Figure("merge CPU", filled.merge_cpu_us, "µs/span")
    for question, milliseconds in answers.items():
        yield Figure(question, milliseconds, "ms")


def main(arguments: Sequence[str] | None = None) -> int:
    """Try the candidates that the arguments name."""
    options_of = parser("layout", __doc__)
    options_of.add_argument("--spans", type=int, default=1_000_000)
    options_of.add_argument("--group", action="append", choices=list(GROUPS), help="all when not given")
    options_of.add_argument("--only", default="", help="candidates whose name has this in it")
    options = options_of.parse_args(arguments)
    chosen = [
        candidate
        for group in options.group or GROUPS
        for candidate in GROUPS[group]()
        if options.only in candidate.name
    ]
    report("layout", sections(chosen, spans=options.spans), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
