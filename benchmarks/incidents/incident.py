"""One incident from a seed: the quiet window, the window in which it happens, all spans, and the truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.incidents.conditions import Conditions
from benchmarks.incidents.distracting import distract
from benchmarks.incidents.landscape import make_landscape
from benchmarks.incidents.planting import make_scene, plant
from benchmarks.incidents.traffic import Traffic
from benchmarks.incidents.truth import Truth
from benchmarks.incidents.writing import SpanWriter

REQUESTS: Final = 1_000
"""Of the quiet window; the other has as many, more or less."""

NS_PER_S: Final = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """Hold an incident: `before` and `during` are its windows, start and end in nanoseconds, the end not included."""

    truth: Truth
    distractions: Sequence[str]
    before: tuple[int, int]
    during: tuple[int, int]
    requests: Sequence[ExportTraceServiceRequest]


def make_incident(kind: str, *, seed: int, end_ns: int, requests: int = REQUESTS) -> Incident:
    """Return the incident of a kind and a seed; equal arguments give equal spans.

    Args:
        kind: one of `KINDS`.
        seed: everything else is drawn from it.
        end_ns: when the incident's window ends.
        requests: how many come in the quiet window.
    """
    random = Random(f"{kind} {seed}")
    landscape = make_landscape(random)
    length_s = requests / random.uniform(8, 20)
    scene = make_scene(landscape, requests_per_s=requests / length_s, random=random)
    conditions = Conditions()
    truth = plant(kind, scene, conditions)
    distractions = distract(scene, conditions, truth)
    length_ns = int(length_s * NS_PER_S)
    during = (end_ns - length_ns, end_ns)
    before = (during[0] - length_ns, during[0])
    writer = SpanWriter(landscape, random)
    quiet, harmed = Traffic(landscape, Conditions(), writer, random), Traffic(landscape, conditions, writer, random)
    for traffic, (start_ns, _), count in (
        (quiet, before, requests),
        (harmed, during, int(requests * conditions.traffic_factor)),
    ):
        traffic.run(sorted(start_ns + random.randrange(length_ns) for _ in range(count)))
    return Incident(truth=truth, distractions=distractions, before=before, during=during, requests=writer.requests())
