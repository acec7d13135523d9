"""When the data points of a metric can be stored. A fast way says yes, a slow one says why not.

A metric that holds no data, or data without points, is no item: nothing is stored, nothing is refused.
"""

from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from homeostat_server.ingest.checks.points import (
    KINDS_WITH_EXEMPLARS,
    SHAPES,
    refusal_of_exemplars,
    refusal_of_point,
)
from homeostat_server.ingest.checks.refusals import TIME_NS_MAX, Findings, Refusal
from homeostat_server.ingest.checks.removal import keep_good, refuse_all


def count_if_all_good(request: ExportMetricsServiceRequest, *, attributes_max: int) -> int | None:
    """Return the number of data points when every one can be stored, None when one cannot."""
    points = 0
    for block in request.resource_metrics:
        if len(block.resource.attributes) > attributes_max:
            return None
        for scope in block.scope_metrics:
            if len(scope.scope.attributes) > attributes_max:
                return None
            for metric in scope.metrics:
                good = _count_if_good(metric, attributes_max)
                if good is None:
                    return None
                points += good
    return points


def refuse_bad(request: ExportMetricsServiceRequest, *, attributes_max: int) -> Findings:
    """Remove the data points that cannot be stored from the request, and say which and why."""
    findings = Findings()
    for number, block in enumerate(request.resource_metrics):
        crowded = len(block.resource.attributes) > attributes_max
        for scope_number, scope in enumerate(block.scope_metrics):
            outer = Refusal.ATTRIBUTES if crowded or len(scope.scope.attributes) > attributes_max else None
            for metric_number, metric in enumerate(scope.metrics):
                place = f"resource_metrics[{number}].scope_metrics[{scope_number}].metrics[{metric_number}]"
                _refuse_in_metric(metric, outer, attributes_max=attributes_max, findings=findings, place=place)
    return findings


def kinds_in(request: ExportMetricsServiceRequest) -> frozenset[str]:
    """Return which kinds of data the request holds, as the members of `Metric.data` are named; 150 ns a metric."""
    metrics = (
        metric for block in request.resource_metrics for scope in block.scope_metrics for metric in scope.metrics
    )
    return frozenset(kind for metric in metrics if (kind := metric.WhichOneof("data")))


def _refuse_in_metric(
    metric: Metric, outer: Refusal | None, *, attributes_max: int, findings: Findings, place: str
) -> None:
    kind = metric.WhichOneof("data")
    if kind is None:
        return
    points, place = getattr(metric, kind).data_points, f"{place}.{kind}.data_points"
    refusal = outer or (None if metric.name else Refusal.NAME)
    if refusal is not None:
        refuse_all(points, refusal=refusal, findings=findings, place=place)
    keep_good(
        points,
        verdict=lambda point: refusal_of_point(point, kind=kind, attributes_max=attributes_max),
        findings=findings,
        place=place,
    )


def _count_if_good(metric: Metric, attributes_max: int) -> int | None:
    kind = metric.WhichOneof("data")
    if kind is None:
        return 0
    points = getattr(metric, kind).data_points
    if not points:
        return 0
    if not metric.name or not _are_good(points, kind, attributes_max):
        return None
    return len(points)


def _are_good(points: Iterable[Any], kind: str, attributes_max: int) -> bool:
    """Say whether all points of one metric are good; the loop that every point goes through."""
    time_max, shape, has_exemplars = TIME_NS_MAX, SHAPES.get(kind), kind in KINDS_WITH_EXEMPLARS
    for point in points:
        if (
            not 0 < point.time_unix_nano <= time_max
            or point.start_time_unix_nano > time_max
            or len(point.attributes) > attributes_max
            or (shape and shape(point))
        ):
            return False
        if has_exemplars and (exemplars := point.exemplars) and refusal_of_exemplars(exemplars):
            return False
    return True
