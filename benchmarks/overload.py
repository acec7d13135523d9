"""Far more than there is room for: `python -m benchmarks.overload`.

A platform with tiny bounds gets all that many connections can send. What it acknowledges has to be stored, what it
refuses has to be refused in the right words and quickly, its memory has to stay where it was, and afterwards it has to
be itself again. Invariant: knows the outside of the server only.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Figure, Section, at_most, exactly
from benchmarks.load.generator import Generator, generating
from benchmarks.load.phases import Load, Phase, Sent
from benchmarks.platform_process import Platform, Setup, running
from benchmarks.processes import Watch, resident_bytes
from benchmarks.reporting import parser, report
from benchmarks.stored import count_stored

MEGABYTE: Final = 1_000_000
BOUNDS: Final = {
    "spool-bytes-max": "24MiB",
    "ingest-inflight-bytes-max": "8MiB",
    "ingest-body-bytes-max": "4MiB",
    "spool-segment-bytes-max": "4MiB",
}
"""A second's worth of spool and some 30 bodies in memory."""

CONNECTIONS: Final = 64
REFUSALS: Final = frozenset({"200", "429", "503"})
_CALM: Final = Phase(duration_s=0.2, connections=1)
_RECOVERY_S_MAX: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Hold what was seen, from the flood to the calm after it."""

    flood: Sent
    calm: int
    idle_bytes: int
    resident_bytes_max: int
    recovery_s: float
    drain_s: float
    stored: int


def sections(duration_s: float) -> Iterator[Section]:
    """Flood a platform and yield what came of it."""
    with running(Setup(settings=BOUNDS)) as platform:
        load = Load(signal="traces", transport="http", port=platform.http_port)
        with generating(load) as generator:
            course = _flood(platform, generator, duration_s)
    yield Section(f"overload: {CONNECTIONS} connections, {BOUNDS['spool-bytes-max']} of spool", list(_figures(course)))


def _flood(platform: Platform, generator: Generator, duration_s: float) -> Course:
    idle_bytes = resident_bytes(platform.pid)
    with Watch(platform.pid) as watch:
        flood = generator.run(Phase(duration_s=duration_s, connections=CONNECTIONS))
    ended_s = time.monotonic()
    calm = _until_all_are_taken(generator, ended_s)
    recovery_s = time.monotonic() - ended_s
    drain_s = platform.wait_until_stored()
    platform.stop()
    return Course(
        flood=flood,
        calm=calm,
        idle_bytes=idle_bytes,
        resident_bytes_max=watch.usage.resident_bytes_max,
        recovery_s=recovery_s,
        drain_s=drain_s,
        stored=count_stored(platform.data / "telemetry", signal="traces"),
    )


def _until_all_are_taken(generator: Generator, ended_s: float) -> int:
    """Send calmly until nothing is refused and return the items that were acknowledged meanwhile."""
    acknowledged = 0
    while time.monotonic() - ended_s < _RECOVERY_S_MAX:
        sent = generator.run(_CALM)
        acknowledged += sent.items
        if not sent.refused:
            break
    return acknowledged


def _figures(course: Course) -> Iterator[Figure]:
    flood = course.flood
    refused = flood.refused
    others = sum(count for status, count in flood.statuses.items() if status not in REFUSALS)
    yield Figure("requests", sum(flood.statuses.values()), "")
    yield Figure("refused (429, 503)", refused - others, "")
    yield Figure("neither taken nor refused so", others, "", exactly(0))
    yield Figure("refused without Retry-After", refused - flood.retry_after, "", exactly(0))
    yield Figure("acknowledged", flood.items_per_s, "spans/s")
    yield Figure("acknowledged but not stored", flood.items + course.calm - course.stored, "spans", exactly(0))
    for name, times in (("taken", flood.latency_ms), ("refused", flood.refusal_ms)):
        if times:
            yield Figure(f"{name} after, p50", times["p50"], "ms")
            yield Figure(f"{name} after, p99", times["p99"], "ms")
    yield Figure("resident before", course.idle_bytes / MEGABYTE, "MB")
    yield Figure("resident, most during it", course.resident_bytes_max / MEGABYTE, "MB", at_most(700))
    yield Figure("all taken again after", course.recovery_s, "s", at_most(10))
    yield Figure("all stored after that", course.drain_s, "s")


def main(arguments: Sequence[str] | None = None) -> int:
    """Flood as the arguments say."""
    options_of = parser("overload", __doc__)
    options_of.add_argument("--duration", type=float, default=15.0, help="seconds of flood")
    options = options_of.parse_args(arguments)
    report("overload", sections(options.duration), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
