"""What was found, in values that a person reads: causes with their evidence, origins, numbers. It knows no HTTP."""

from dataclasses import dataclass
from math import isfinite, sqrt
from typing import Final

import numpy as np

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.error_correlation import sql
from homeostat_server.query.error_correlation.correlation import Asked, Correlation, correlate, rows_of
from homeostat_server.query.error_correlation.factors import Factor
from homeostat_server.query.error_correlation.harm import Flags
from homeostat_server.query.error_correlation.origins import EXAMPLES_MAX, Origin, find_origins, trace_id, word
from homeostat_server.query.error_correlation.ranking import Candidate
from homeostat_server.query.error_correlation.statistics import Integers, Reals
from homeostat_server.store.ports import TelemetryReader

FOLDED_MAX: Final = 10
"""Values shown beside a cause that go with it."""

NS_PER_MS: Final = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Hold a service, a span name and OTLP's number of a kind."""

    service: str
    operation: str
    kind: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceEvidence:
    """Hold what spans of a place are like, in the window and in the baseline.

    Attributes:
        calls_per_request: spans by requests.
        self_p50_ms: half of them are on the critical path no longer than this.
        error_rate: share in which an error began.
    """

    calls_per_request: float
    calls_per_request_before: float
    self_p50_ms: float
    self_p50_ms_before: float
    error_rate: float
    error_rate_before: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryEvidence:
    """Hold how often a caller asks for one answer, in the window and in the baseline, and at most."""

    caller: Place
    calls: float
    calls_before: float
    calls_most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitEvidence:
    """Hold how many are at work at once, in the window and in the baseline, and how much the time grows with that."""

    together: float
    together_before: float
    correlation: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Hold a cause with its evidence.

    Attributes:
        kind: operation, attribute, retry_storm or lock_convoy.
        place: where it shows most.
        attribute: the value that sets harm apart, of that kind.
        score: what the list is ordered by.
        explained: share of all harm beyond the usual that goes with it, 0 to 1.
        harmed: requests, and parts of them, that were harmed by it; expected without it.
        lift: the one by the other, None where nothing is expected.
        spans: how many spans are concerned; spans_before in the baseline.
        p_value: of so much harm by chance; q_value corrected for all values that were tested.
        first_ns: start of the first harmed span.
        trace_ids: of the requests that it harmed most.
        same: values that cannot be told apart from it.
        implied: values that it explains.
    """

    kind: str
    place: Place
    attribute: Factor | None
    score: float
    explained: float
    harmed: float
    expected: float
    lift: float | None
    spans: float
    spans_before: float
    p_value: float
    q_value: float
    first_ns: int
    trace_ids: list[str]
    evidence: PlaceEvidence
    retries: RetryEvidence | None
    waits: WaitEvidence | None
    same: list[Factor]
    implied: list[Factor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Hold how many requests there are, how many failed and how many were slow."""

    requests: float
    failing: float
    slow: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Hold how much was read of what there is.

    Attributes:
        share: of all traces, 1 when all were read.
        traces: how many were read, spans of them.
        margin: half the width of the 95 % interval of the share of harmed requests, 0 when all were read.
    """

    share: float
    traces: int
    spans: int
    margin: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Hold the whole answer."""

    now: Totals
    before: Totals
    sampled: Sampled
    causes: list[Cause]
    origins: list[Origin]
    tested: int


def explain(reader: TelemetryReader, *, tenant: Tenant, asked: Asked, causes_max: int) -> Findings:
    """Return what broke and why: causes, the likeliest first, and where errors began."""
    correlation = correlate(reader, tenant=tenant, asked=asked)
    requests, harm = correlation.requests, correlation.harm
    now, before = _totals(correlation, requests.is_asked), _totals(correlation, requests.is_baseline)
    return Findings(
        now=now,
        before=before,
        sampled=_sampled(correlation, now),
        causes=[_cause(correlation, candidate) for candidate in correlation.causes[:causes_max]],
        origins=_origins(correlation) if harm.origin.any() else [],
        tested=correlation.tested,
    )


def _totals(correlation: Correlation, which: Flags) -> Totals:
    """Return the totals of traces, as many as they stand for."""
    weight = correlation.requests.weight * which / correlation.share.of_all
    harm = correlation.harm
    return Totals(
        requests=float(weight.sum()),
        failing=float(weight[harm.is_failing].sum()),
        slow=float(weight[harm.is_slow].sum()),
    )


def _sampled(correlation: Correlation, now: Totals) -> Sampled:
    requests = correlation.requests
    traces = int((requests.is_asked | requests.is_baseline).sum())
    asked = max(1, int(requests.is_asked.sum()))
    share = min(1.0, (now.failing + now.slow) / now.requests) if now.requests else 0.0
    is_exact = correlation.share.is_all
    return Sampled(
        share=correlation.share.of_all,
        traces=traces,
        spans=len(requests.place),
        margin=0.0 if is_exact else 1.96 * sqrt(share * (1 - share) / asked),
    )


def _origins(correlation: Correlation) -> list[Origin]:
    share = correlation.share
    failures = correlation.reading.table(sql.failures, share)
    rows = rows_of(correlation.table, correlation.requests.forest, failures)
    return find_origins(correlation.requests, correlation.harm, failures, rows)


def _cause(correlation: Correlation, candidate: Candidate) -> Cause:
    requests, harm = correlation.requests, correlation.harm
    spans = np.flatnonzero(candidate.mask)
    scale = 1 / correlation.share.of_all
    return Cause(
        kind=candidate.kind,
        place=_place(correlation, candidate.place),
        attribute=candidate.factor,
        score=candidate.score,
        explained=candidate.explained,
        harmed=candidate.harm * scale,
        expected=candidate.expected * scale,
        lift=candidate.lift if isfinite(candidate.lift) else None,
        spans=candidate.spans * scale,
        spans_before=candidate.spans_before * scale,
        p_value=candidate.p_value,
        q_value=candidate.q_value,
        first_ns=int(requests.forest.start_ns[spans].min()),
        trace_ids=_worst(correlation, spans, harm.blame),
        evidence=_evidence(correlation, candidate.place),
        retries=_retries(correlation, candidate),
        waits=None
        if candidate.convoy is None
        else WaitEvidence(
            together=candidate.convoy.together,
            together_before=candidate.convoy.together_before,
            correlation=candidate.convoy.correlation,
        ),
        same=candidate.same[:FOLDED_MAX],
        implied=candidate.implied[:FOLDED_MAX],
    )


def _worst(correlation: Correlation, spans: Integers, blame: Reals) -> list[str]:
    """Return the ids of the traces with the most blame on some spans."""
    requests = correlation.requests
    traces, of = np.unique(requests.forest.trace[spans], return_inverse=True)
    order = np.argsort(-np.bincount(of, blame[spans]), kind="stable")[:EXAMPLES_MAX]
    return [trace_id(requests, int(trace)) for trace in traces[order]]


def _place(correlation: Correlation, place: int) -> Place:
    forest = correlation.requests.forest
    span = correlation.requests.place_span[place]
    return Place(
        service=word(forest.services[forest.service[span]]),
        operation=word(forest.operations[forest.operation[span]]),
        kind=int(forest.kind[span]),
    )


def _retries(correlation: Correlation, candidate: Candidate) -> RetryEvidence | None:
    storm = candidate.storm
    if storm is None:
        return None
    return RetryEvidence(
        caller=_place(correlation, storm.caller),
        calls=storm.calls,
        calls_before=storm.calls_before,
        calls_most=storm.calls_most,
    )


def _evidence(correlation: Correlation, place: int) -> PlaceEvidence:
    calls, self_ms, errors = _figures(correlation, place, correlation.requests.is_asked)
    calls_before, self_ms_before, errors_before = _figures(correlation, place, correlation.requests.is_baseline)
    return PlaceEvidence(
        calls_per_request=calls,
        calls_per_request_before=calls_before,
        self_p50_ms=self_ms,
        self_p50_ms_before=self_ms_before,
        error_rate=errors,
        error_rate_before=errors_before,
    )


def _figures(correlation: Correlation, place: int, which: Flags) -> tuple[float, float, float]:
    """Return calls a request, the median of the own time and the share of errors that began, of some traces."""
    requests = correlation.requests
    spans = np.flatnonzero((requests.place == place) & which[requests.forest.trace])
    if not len(spans):
        return 0.0, 0.0, 0.0
    weight = requests.weight[requests.forest.trace[spans]]
    return (
        float(weight.sum() / requests.weight[which].sum()),
        float(np.median(requests.self_ns[spans])) / NS_PER_MS,
        float((weight * correlation.harm.origin[spans]).sum() / weight.sum()),
    )
