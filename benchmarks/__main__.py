"""All benchmarks, short: `make bench`. The figures that count are measured one by one, longer, on a quiet machine."""

import sys
from collections.abc import Iterator, Sequence

from benchmarks import ingest, overload
from benchmarks.figures import Section
from benchmarks.layout import __main__ as layout
from benchmarks.layout.candidates import orders
from benchmarks.reporting import parser, report
from benchmarks.sdk import requests
from homeostat.overhead.measurement import Scale


def sections(*, duration_s: float, spans: int) -> Iterator[Section]:
    """Run one after the other."""
    plan = ingest.Plan(signals=list(ingest.TARGETS_PER_S), transports=("http", "grpc"), duration_s=duration_s)
    yield from ingest.sections(plan)
    yield from overload.sections(duration_s)
    yield from layout.sections(orders(), spans=spans)
    yield from requests.sections(Scale(rounds=3))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say."""
    options_of = parser("all", __doc__)
    options_of.add_argument("--duration", type=float, default=15.0, help="seconds of each load")
    options_of.add_argument("--spans", type=int, default=1_000_000, help="for the sort orders")
    options = options_of.parse_args(arguments)
    report("all", sections(duration_s=options.duration, spans=options.spans), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
