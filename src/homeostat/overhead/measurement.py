"""Runs probes in turn and compares them. It says what was measured, and knows no wish.

Rounds alternate between the variants, so that a machine that gets busy disturbs all of them; of several rounds the
least disturbed one counts, because a neighbour can only make a process slower.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

from homeostat.overhead.probe import Measured, Plan
from homeostat.overhead.variants import Variant, has_contrib

_PROBE: Final = "homeostat.overhead.probe"
_TIMEOUT_S: Final = 600.0

PACED_REQUESTS_PER_S: Final = 100.0

_IMPORT: Final = """\
import json, os, time
def memory_kib():
    try:
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1024
    except OSError:
        import resource
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = memory_kib()
began = time.perf_counter()
{what}
took = time.perf_counter() - began
print(json.dumps([took, memory_kib() - before]))
"""
_CONFIGURE: Final = "import homeostat; homeostat.configure('homeostat-overhead', greeting='off')"


class ProbeFailed(RuntimeError):
    """Report a measuring process that ended with an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Say how much is measured.

    Args:
        rounds: how often each variant runs.
        requests: of one round.
        spans: of one round.
        paced_s: how long the steady rate lasts, in seconds; 0 leaves it out.
    """

    rounds: int = 5
    requests: int = 10_000
    spans: int = 100_000
    paced_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Hold one variant of one kind, the least disturbed round.

    Args:
        name: as a person reads it.
        cpu_us: CPU time for one request or span, in microseconds.
        added_us: what of it is not the bare application's; None for that itself.
        ratio: to the bare one.
        cpu_share: of one processor, 0 to 1, while it lasted.
        lost: spans that were not delivered in any round, None where nobody counts.
    """

    name: str
    cpu_us: float
    added_us: float | None = None
    ratio: float | None = None
    cpu_share: float = 0.0
    lost: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Hold everything that was measured; a kind that was left out has no rows."""

    endpoint: str
    framework: str
    requests: tuple[Row, ...] = ()
    paced: tuple[Row, ...] = ()
    spans: tuple[Row, ...] = ()
    imports: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    """Seconds and KiB of memory by what was imported."""

    def document(self) -> dict[str, object]:
        """Return it as JSON has it."""
        return asdict(self)


def measure(*, endpoint: str, framework: str, scale: Scale, say: Callable[[str], object] = lambda _: None) -> Report:
    """Measure everything.

    Args:
        endpoint: where OTLP/HTTP goes.
        framework: what the application is made of, for the report.
        scale: how much.
        say: is told what is being done, one line each.
    """
    say("requests, each variant in a process of its own")
    requests = _rows(_request_plans(endpoint, scale), scale.rounds)
    paced: tuple[Row, ...] = ()
    if scale.paced_s > 0:
        say(f"{PACED_REQUESTS_PER_S:g} requests a second for {scale.paced_s:g} s")
        paced = _rows(_paced_plans(endpoint, scale), 1)
    say("spans alone")
    spans = _rows(_span_plans(scale), scale.rounds)
    say("imports")
    return Report(
        endpoint=endpoint,
        framework=framework,
        requests=requests,
        paced=paced,
        spans=spans,
        imports={"import": imported("import homeostat"), "import and configure": imported(_CONFIGURE)},
    )


def _request_plans(endpoint: str, scale: Scale) -> dict[str, Plan]:
    def plan(variant: Variant, ratio: float) -> Plan:
        return Plan(kind="requests", variant=variant, ratio=ratio, endpoint=endpoint, count=scale.requests)

    plans = {
        "bare": plan(Variant.BARE, 1.0),
        "homeostat, 100 %": plan(Variant.HOMEOSTAT, 1.0),
        "homeostat, 1 %": plan(Variant.HOMEOSTAT, 0.01),
    }
    if has_contrib():
        plans["contrib, 100 %"] = plan(Variant.CONTRIB, 1.0)
        plans["contrib, 1 %"] = plan(Variant.CONTRIB, 0.01)
    return plans


def _paced_plans(endpoint: str, scale: Scale) -> dict[str, Plan]:
    return {
        name: Plan(
            kind="paced",
            variant=variant,
            endpoint=endpoint,
            count=int(PACED_REQUESTS_PER_S * scale.paced_s),
            requests_per_s=PACED_REQUESTS_PER_S,
        )
        for name, variant in (("bare", Variant.BARE), ("homeostat, 100 %", Variant.HOMEOSTAT))
    }


def _span_plans(scale: Scale) -> dict[str, Plan]:
    return {
        "bare OpenTelemetry SDK": Plan(kind="spans", variant=Variant.BARE, count=scale.spans),
        "homeostat": Plan(kind="spans", variant=Variant.HOMEOSTAT, count=scale.spans),
    }


def _rows(plans: Mapping[str, Plan], rounds: int) -> tuple[Row, ...]:
    """Run each plan so often, in turn, and compare with the first."""
    runs: dict[str, list[Measured]] = {name: [] for name in plans}
    for _ in range(rounds):
        for name, plan in plans.items():
            runs[name].append(probed(plan))
    rows = []
    first: float | None = None
    for name, measured in runs.items():
        best = min(measured, key=lambda one: one.cpu_us)
        lost = [one.lost for one in measured if one.lost is not None]
        rows.append(
            Row(
                name=name,
                cpu_us=best.cpu_us,
                added_us=None if first is None else best.cpu_us - first,
                ratio=None if first is None else best.cpu_us / first,
                cpu_share=best.cpu_share,
                lost=sum(lost) if lost else None,
            )
        )
        first = best.cpu_us if first is None else first
    return tuple(rows)


def probed(plan: Plan) -> Measured:
    """Run one plan in a process of its own.

    Raises:
        ProbeFailed: the process ended with an error.
    """
    with tempfile.TemporaryDirectory(prefix="homeostat-overhead-") as folder:
        environment = {**os.environ, "HOMEOSTAT_BUFFER_FOLDER": folder}
        return Measured(**json.loads(_ran(["-m", _PROBE, json.dumps(asdict(plan))], environment)))


def imported(what: str) -> tuple[float, int]:
    """Return how long some statements take in a new process, in seconds, and how many KiB of memory they add."""
    took_s, added_kib = json.loads(_ran(["-c", _IMPORT.format(what=what)], dict(os.environ)))
    return float(took_s), int(added_kib)


def _ran(arguments: list[str], environment: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603  # our own interpreter with our own module
        [sys.executable, *arguments], capture_output=True, text=True, env=environment, timeout=_TIMEOUT_S, check=False
    )
    if done.returncode != 0:
        raise ProbeFailed(done.stderr[-2_000:])
    return done.stdout.splitlines()[-1]
