"""Where in the call tree errors begin, how they spread upward, and since when. It knows trees, no causes."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa

from homeostat_server.query.error_correlation.harm import ERROR, Harm, Requests
from homeostat_server.query.error_correlation.statistics import Integers

ORIGINS_MAX: Final = 50
PATHS_MAX: Final = 5
EXAMPLES_MAX: Final = 5
FOLLOWED_MAX: Final = 20_000
"""Failed spans that are followed upward, the earliest."""

STEPS_MAX: Final = 64
"""Services on a path; a longer one is shown without its upper end."""


class OriginKey(NamedTuple):
    """Say which errors are one group: they begin in one place with one exception."""

    service: str
    operation: str
    kind: int
    exception: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SpreadPath:
    """Hold the services that an error passed, the one where it began first, and in how many errors."""

    services: tuple[str, ...]
    errors: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Hold a group of errors that began in one place.

    Attributes:
        key: where, and with which exception.
        message: of the first of them.
        errors: how many there are; errors_before in the baseline.
        requests_failed: the requests that failed by them.
        first_ns: start of the first failed span in the window; last_ns of the last.
        paths: how they spread, most frequent first.
        trace_ids: of the first few.
    """

    key: OriginKey
    message: str
    errors: float
    errors_before: float
    requests_failed: float
    first_ns: int
    last_ns: int
    paths: list[SpreadPath]
    trace_ids: list[str]


def find_origins(requests: Requests, harm: Harm, failures: pa.Table, rows: Integers) -> list[Origin]:
    """Return where errors of the window began, those that failed most requests first.

    Args:
        requests: the forest.
        harm: which spans are origins.
        failures: what failed spans say of their failure: exception type and message, status message.
        rows: of each span of the forest, its row of the table, -1 where it is not there.
    """
    forest = requests.forest
    spans = np.flatnonzero(harm.origin)
    spans = spans[np.argsort(forest.start_ns[spans], kind="stable")]
    said = _said(failures)
    groups: dict[OriginKey, list[int]] = defaultdict(list)
    before: Counter[OriginKey] = Counter()
    for span in spans[:FOLLOWED_MAX].tolist():
        key = _key(requests, span, said.get(int(rows[span]), ("", ""))[0])
        trace = forest.trace[span]
        if requests.is_asked[trace]:
            groups[key].append(span)
        if requests.is_baseline[trace]:
            before[key] += requests.weight[trace]
    found = [
        _origin(
            requests,
            harm,
            key,
            members,
            before=before[key],
            messages=[said.get(int(rows[span]), ("", ""))[1] for span in members[:EXAMPLES_MAX]],
        )
        for key, members in groups.items()
    ]
    found.sort(key=lambda each: (-each.requests_failed, -each.errors, each.key))
    return found[:ORIGINS_MAX]


def _said(failures: pa.Table) -> dict[int, tuple[str, str]]:
    """Return by row the type and the message of an exception, or the message of the status."""
    columns = [failures[name].to_pylist() for name in ("exception_type", "exception_message", "status_message")]
    return {
        row: (kind.decode("utf-8", "replace"), (message or status).decode("utf-8", "replace"))
        for row, (kind, message, status) in enumerate(zip(*columns, strict=True))
    }


def _key(requests: Requests, span: int, exception: str) -> OriginKey:
    forest = requests.forest
    return OriginKey(
        word(forest.services[forest.service[span]]),
        word(forest.operations[forest.operation[span]]),
        int(forest.kind[span]),
        exception,
    )


def _origin(
    requests: Requests, harm: Harm, key: OriginKey, spans: list[int], *, before: float, messages: list[str]
) -> Origin:
    forest = requests.forest
    traces = forest.trace[spans]
    paths: Counter[tuple[str, ...]] = Counter()
    for span in spans:
        paths[_path(requests, span)] += requests.weight[forest.trace[span]]
    failed = np.unique(traces[harm.is_failing[traces]])
    shown = dict.fromkeys([*failed.tolist()[:EXAMPLES_MAX], *traces.tolist()[:EXAMPLES_MAX]])
    return Origin(
        key=key,
        message=next((message for message in messages if message), ""),
        errors=float(requests.weight[traces].sum()),
        errors_before=before,
        requests_failed=float(requests.weight[failed].sum()),
        first_ns=int(forest.start_ns[spans].min()),
        last_ns=int(forest.start_ns[spans].max()),
        paths=[SpreadPath(services=path, errors=float(count)) for path, count in paths.most_common(PATHS_MAX)],
        trace_ids=[trace_id(requests, trace) for trace in list(shown)[:EXAMPLES_MAX]],
    )


def _path(requests: Requests, span: int) -> tuple[str, ...]:
    """Return the services from where an error began up to the last span that fails by it."""
    forest = requests.forest
    path = [int(forest.service[span])]
    above = int(forest.parent[span])
    while above >= 0 and forest.status[above] == ERROR and len(path) < STEPS_MAX:
        if forest.service[above] != path[-1]:
            path.append(int(forest.service[above]))
        above = int(forest.parent[above])
    return tuple(word(forest.services[service]) for service in path)


def word(stored: bytes) -> str:
    """Return a name as text."""
    return stored.decode("utf-8", "replace")


def trace_id(requests: Requests, trace: int) -> str:
    """Return the id of a trace as 32 hexadecimal digits."""
    return bytes(requests.forest.trace_ids[trace]).hex()
