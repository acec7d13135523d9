"""Durable ingest, each signal through each door: `python -m benchmarks.ingest`.

The bare engine inserts segments of the server's own size, with the server's durability, tables and indexes; then a real
`homeostat up` gets the same bodies from a load generator that shares its cores. Both count CPU until the merges that
the load caused are done, while nobody asks anything. Invariant: knows the outside of the server only.
"""

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.bare.measurement import BareResult, measure
from benchmarks.figures import Figure, Section, at_least, at_most, exactly
from benchmarks.load.generator import Generator, generating
from benchmarks.load.lookups import LookedUp, LookUps
from benchmarks.load.phases import Load, Phase, Sent, Transport
from benchmarks.platform_process import Platform, running
from benchmarks.processes import Usage, Watch, resident_bytes
from benchmarks.reporting import parser, report
from benchmarks.stored import count_stored
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.settings import Settings

MEGABYTE: Final = 1_000_000
TARGETS_PER_S: Final[Mapping[str, int]] = {"traces": 100_000, "logs": 100_000, "metrics": 150_000}
RATIO_MIN: Final = 0.70
OFFERED_OVER_TARGET: Final = 1.02
"""A little over the target: an open loop whose rate is the target itself ends just below it."""

ITEM_NAMES: Final = {"traces": "spans", "logs": "records", "metrics": "points"}
ALONE_S_MAX: Final = 20.0
"""Of the load whose CPU is compared with the bare engine's: ingest and nothing else, in a fresh folder as there."""

HALF_LOAD_S_MAX: Final = 20.0
HALF_LOAD_CONNECTIONS: Final = 16
TEMPLATES: Final = {"traces": 128, "logs": 128, "metrics": 512}
"""Bodies of 512 items: as many different spans and records; as many series (a quarter of a million)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Say what to measure."""

    signals: Sequence[str]
    transports: Sequence[Transport]
    duration_s: float
    bare: bool = True
    gzip: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Hold what was seen of one platform under load, from its start to its end."""

    ready_s: float
    idle_bytes: int
    alone: Sent
    alone_cpu_s: float
    sustained: Sent
    usage: Usage
    drain_s: float
    half: Sent
    after_bytes: int
    lookups: LookedUp | None
    stored: int

    @property
    def acknowledged(self) -> int:
        """Return the items of all phases."""
        return self.alone.items + self.sustained.items + self.half.items

    @property
    def stored_per_s(self) -> float:
        """Return the rate until the last row was there: what went into the spool only does not count."""
        return self.sustained.items / (self.sustained.seconds + self.drain_s)

    @property
    def items_per_cpu_s(self) -> float:
        """Return the items per CPU second of the server while nobody asks it anything, merges included."""
        return self.alone.items / self.alone_cpu_s


def sections(plan: Plan) -> Iterator[Section]:
    """Measure and yield one section a signal and door."""
    for signal in plan.signals:
        bare = _bare(signal, plan) if plan.bare else None
        for transport in plan.transports:
            course = _course(signal, transport, plan)
            coding = ", gzip" if plan.gzip and transport == "http" else ""
            yield Section(f"{signal} over {transport}{coding}", list(_figures(signal, course, bare)))


def _bare(signal: str, plan: Plan) -> BareResult:
    items = int(TARGETS_PER_S[signal] * min(plan.duration_s, ALONE_S_MAX))
    segment_bytes = Settings().spool_segment_bytes_max
    return measure(Signal(signal), items=items, segment_bytes=segment_bytes, templates=TEMPLATES[signal])


def _course(signal: str, transport: Transport, plan: Plan) -> Course:
    with running() as platform:
        # A restart takes less or more than a first start; what is promised is the latter.
        time.sleep(1.0)
        idle_bytes = resident_bytes(platform.pid)
        ids_file = platform.data.parent / "ids"
        load = Load(
            signal=Signal(signal).value,
            transport=transport,
            port=platform.http_port if transport == "http" else platform.grpc_port,
            templates=TEMPLATES[signal],
            gzip=plan.gzip and transport == "http",
            ids_file=str(ids_file) if signal == "traces" else "",
        )
        with generating(load) as generator:
            return _drive(platform, generator, signal=signal, ids_file=ids_file, idle_bytes=idle_bytes, plan=plan)


def _drive(
    platform: Platform, generator: Generator, *, signal: str, ids_file: Path, idle_bytes: int, plan: Plan
) -> Course:
    rate = TARGETS_PER_S[signal] * OFFERED_OVER_TARGET
    before_s = platform.wait_until_quiet()
    alone = generator.run(Phase(duration_s=min(plan.duration_s, ALONE_S_MAX), items_per_s=rate))
    platform.wait_until_stored()
    alone_cpu_s = platform.wait_until_quiet() - before_s
    lookups = None
    with Watch(platform.pid) as watch:
        if signal == "traces":
            lookups = LookUps(port=platform.http_port, ids_file=ids_file, duration_s=plan.duration_s)
        sustained = generator.run(Phase(duration_s=plan.duration_s, items_per_s=rate))
        drain_s = platform.wait_until_stored()
    looked_up = lookups.result() if lookups else None
    half = generator.run(
        Phase(
            duration_s=min(plan.duration_s, HALF_LOAD_S_MAX),
            items_per_s=rate / 2,
            connections=HALF_LOAD_CONNECTIONS,
        )
    )
    platform.wait_until_stored()
    platform.wait_until_quiet()
    after_bytes = resident_bytes(platform.pid)
    platform.stop()
    return Course(
        ready_s=platform.ready_s,
        idle_bytes=idle_bytes,
        alone=alone,
        alone_cpu_s=alone_cpu_s,
        sustained=sustained,
        usage=watch.usage,
        drain_s=drain_s,
        half=half,
        after_bytes=after_bytes,
        lookups=looked_up,
        stored=count_stored(platform.data / "telemetry", signal=signal),
    )


def _figures(signal: str, course: Course, bare: BareResult | None) -> Iterator[Figure]:
    items = ITEM_NAMES[signal]
    sustained = course.sustained
    yield Figure("ready after exec", course.ready_s, "s", at_most(3.0))
    yield Figure("resident, idle", course.idle_bytes / MEGABYTE, "MB", at_most(400))
    yield Figure("load lasted", sustained.seconds, "s")
    yield Figure("acknowledged", sustained.items_per_s, f"{items}/s", at_least(TARGETS_PER_S[signal]))
    yield Figure("acknowledged and stored", course.stored_per_s, f"{items}/s")
    yield Figure("spool empty after the load", course.drain_s, "s")
    yield Figure("refused requests", sustained.refused, "", exactly(0))
    yield Figure("sent", sustained.size_bytes / sustained.items, f"bytes/{items[:-1]}")
    yield Figure("answer p50 at full rate", sustained.latency_ms["p50"], "ms")
    yield Figure("answer p99 at full rate", sustained.latency_ms["p99"], "ms")
    yield Figure("answer p50 at half rate", course.half.latency_ms["p50"], "ms")
    yield Figure("answer p99 at half rate", course.half.latency_ms["p99"], "ms", at_most(250))
    yield from _lookup_figures(course.lookups)
    yield Figure("resident, most during load", course.usage.resident_bytes_max / MEGABYTE, "MB", at_most(600))
    yield Figure("resident, afterwards", course.after_bytes / MEGABYTE, "MB")
    yield Figure("server CPU during load", course.usage.cpu_s / course.usage.seconds, "cores")
    yield Figure("load generator CPU", sustained.generator_cpu_s / sustained.seconds, "cores")
    yield Figure("whole path, nobody asking", course.items_per_cpu_s, f"{items}/CPU s")
    yield from _bare_figures(items, course, bare)
    yield Figure("acknowledged but not stored", course.acknowledged - course.stored, items, exactly(0))


def _lookup_figures(lookups: LookedUp | None) -> Iterator[Figure]:
    if lookups is not None and lookups.latency_ms:
        yield Figure("trace look-ups", lookups.asked, "")
        yield Figure("trace look-ups not found", lookups.asked - lookups.found, "", exactly(0))
        yield Figure("trace look-up p50", lookups.latency_ms["p50"], "ms")
        yield Figure("trace look-up p95", lookups.latency_ms["p95"], "ms", at_most(100))


def _bare_figures(items: str, course: Course, bare: BareResult | None) -> Iterator[Figure]:
    if bare is not None:
        yield Figure("bare engine", bare.items_per_cpu_s, f"{items}/CPU s")
        yield Figure("bare engine, resident", bare.resident_bytes_max / MEGABYTE, "MB")
        yield Figure("whole path / bare engine", course.items_per_cpu_s / bare.items_per_cpu_s, "", at_least(RATIO_MIN))


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure as the arguments say."""
    options_of = parser("ingest", __doc__)
    options_of.add_argument("--signal", action="append", choices=list(TARGETS_PER_S), help="all when not given")
    options_of.add_argument("--transport", action="append", choices=("http", "grpc"), help="both when not given")
    options_of.add_argument("--duration", type=float, default=60.0, help="seconds of sustained load")
    options_of.add_argument("--gzip", action="store_true", help="compress the bodies (HTTP)")
    options_of.add_argument("--no-bare", dest="bare", action="store_false", help="leave the bare engine out")
    options = options_of.parse_args(arguments)
    plan = Plan(
        signals=options.signal or list(TARGETS_PER_S),
        transports=options.transport or ("http", "grpc"),
        duration_s=options.duration,
        bare=options.bare,
        gzip=options.gzip,
    )
    report("ingest", sections(plan), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
