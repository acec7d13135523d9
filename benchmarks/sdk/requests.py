"""What the SDK costs a service, exporting to a live platform: `python -m benchmarks.sdk.requests`.

The same harness as `homeostat overhead`, with a platform of its own to export to and with what is wanted beside each
figure.
"""

import sys
from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks import platform_process
from benchmarks.figures import Figure, Section, at_most, exactly
from benchmarks.reporting import parser, report
from homeostat.overhead.application import framework
from homeostat.overhead.measurement import Report, Row, Scale, measure

_ADDED: Final = {"homeostat, 100 %": at_most(40), "homeostat, 1 %": at_most(15)}
_KIB: Final = 1024


def sections(scale: Scale) -> Iterator[Section]:
    """Start a platform, measure, and say what was wanted."""
    with platform_process.running() as platform:
        measured = measure(
            endpoint=f"http://127.0.0.1:{platform.http_port}",
            framework=framework(),
            scale=scale,
            say=lambda line: print(f"... {line}", flush=True),
        )
        platform.wait_until_stored()
    yield from as_sections(measured)


def as_sections(measured: Report) -> Iterator[Section]:
    """Return a report as figures with their targets."""
    yield Section(f"CPU of a {measured.framework} request", list(_requests(measured.requests)))
    if measured.paced:
        yield Section("CPU at 100 requests a second", list(_paced(measured.paced)))
    yield Section("CPU of a span", list(_spans(measured.spans)))
    yield Section("start", list(_imports(measured)))


def _requests(rows: Sequence[Row]) -> Iterator[Figure]:
    for row in rows:
        if row.added_us is None:
            yield Figure(row.name, row.cpu_us, "us")
            continue
        yield Figure(f"{row.name}, added", row.added_us, "us", _ADDED.get(row.name))
        if row.lost is not None:
            yield Figure(f"{row.name}, spans lost", row.lost, "", exactly(0))


def _paced(rows: Sequence[Row]) -> Iterator[Figure]:
    bare, *others = rows
    yield Figure(bare.name, bare.cpu_share * 100, "%")
    for row in others:
        yield Figure(f"{row.name}, added", (row.cpu_share - bare.cpu_share) * 100, "%", at_most(1))


def _spans(rows: Sequence[Row]) -> Iterator[Figure]:
    for row in rows:
        yield Figure(row.name, row.cpu_us, "us")
        if row.ratio is not None:
            yield Figure(f"{row.name}, ratio", row.ratio, "x", at_most(1.1))


def _imports(measured: Report) -> Iterator[Figure]:
    for name, (seconds, kib) in measured.imports.items():
        yield Figure(f"{name}, time", seconds * 1_000, "ms", at_most(200))
        yield Figure(f"{name}, memory added", kib / _KIB, "MiB", at_most(35))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say."""
    options_of = parser("sdk.requests", __doc__)
    options_of.add_argument("--rounds", type=int, default=5, help="how often each variant runs")
    options_of.add_argument("--requests", type=int, default=20_000, help="requests of one round")
    options_of.add_argument("--spans", type=int, default=100_000, help="spans of one round")
    options_of.add_argument("--paced", type=float, default=20.0, help="seconds at 100 requests a second")
    options = options_of.parse_args(arguments)
    scale = Scale(rounds=options.rounds, requests=options.requests, spans=options.spans, paced_s=options.paced)
    report("sdk-requests", sections(scale), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
