"""Command line of the generator: `python -m benchmarks.realistic --signal traces --items 1000000 --out FILE`.

Invariant: only writes files and prints rates; what it writes follows from its arguments.
"""

import argparse
import contextlib
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.realistic import framing
from benchmarks.realistic.bodies import STYLES, Body
from benchmarks.realistic.generation import logs, metrics, traces

_START_S: Final = 1_767_225_600
"""2026-01-01 00:00 UTC, so that files made twice are equal."""
_NS: Final = 10**9


@dataclass
class _Tally:
    """Count what went by, from the first body on (building templates is told apart)."""

    began_s: float
    built_s: float = 0.0
    bodies: int = 0
    items: int = 0
    size_bytes: int = 0

    def add(self, body: Body, now_s: float) -> None:
        if not self.bodies:
            self.built_s = now_s - self.began_s
        self.bodies += 1
        self.items += body.items
        self.size_bytes += len(body.data)

    def line(self, signal: str, now_s: float) -> str:
        elapsed_s = max(now_s - self.began_s - self.built_s, 1e-9)
        return (
            f"{signal}: {self.items} items in {self.bodies} bodies, {self.size_bytes / self.items:.1f} bytes an item, "
            f"templates built in {self.built_s:.2f} s, then {self.items / elapsed_s:,.0f} items/s"
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Generate as the arguments say and print one line of rates."""
    options = _parser().parse_args(arguments)
    tally = _Tally(time.perf_counter())
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(options.out.open("wb")) if options.out else None
        for body in _bodies(options):
            tally.add(body, time.perf_counter())
            if file:
                file.write(framing.frame(body.data))
    sys.stdout.write(tally.line(options.signal, time.perf_counter()) + "\n")
    return 0


def _bodies(options: argparse.Namespace) -> Iterator[Body]:
    start_ns = int(options.start_s * _NS)
    items, size, seed, style = options.items, options.per_body, options.seed, options.style
    time_s = options.hours * 3600.0
    if options.signal == "traces":
        return traces(items, seed=seed, start_ns=start_ns, span_of_time_s=time_s, spans_per_body=size, style=style)
    if options.signal == "logs":
        return logs(items, seed=seed, start_ns=start_ns, span_of_time_s=time_s, records_per_body=size, style=style)
    return metrics(items, seed=seed, start_ns=start_ns, span_of_time_s=time_s, points_per_body=size, style=style)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realistic", description=__doc__)
    parser.add_argument("--signal", choices=("traces", "logs", "metrics"), required=True)
    parser.add_argument("--items", type=_positive, default=1_000_000, help="spans, records or points")
    parser.add_argument("--out", type=Path, help="file of length-delimited bodies; without it only rates are printed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--style", choices=STYLES, default="collector")
    parser.add_argument("--per-body", type=_positive, default=512, help="most items a body")
    parser.add_argument("--hours", type=float, default=1.0, help="time the items are spread over")
    parser.add_argument("--start-s", type=float, default=_START_S, help="seconds since 1970 at which it starts")
    return parser


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


if __name__ == "__main__":
    sys.exit(main())
