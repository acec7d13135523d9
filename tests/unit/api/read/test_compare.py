from collections.abc import Sequence

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.api.compare import CompareAnswer
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

PATH = "/api/v1/compare"
MS = 10**6


def trace(number: int, *, query_ms: int, calls: int = 1, version: str = "1", status: int = 1) -> list[Span]:
    """Return a request that asks a database some times, one after the other."""
    trace_id = bytes([number + 1] * 16)
    root = otlp.span(
        trace_id=trace_id, span_id=bytes([1] * 8), end_time_unix_nano=NOW_NS + (10 + calls * query_ms) * MS
    )
    root.status.code = status  # type: ignore[assignment] # numbers are enums on the wire
    root.attributes.add(key="version").value.string_value = version
    children = [
        otlp.span(
            trace_id=trace_id,
            span_id=bytes([2 + call] * 8),
            parent_span_id=bytes([1] * 8),
            name="SELECT",
            kind=Span.SPAN_KIND_CLIENT,
            start_time_unix_nano=NOW_NS + (5 + call * query_ms) * MS,
            end_time_unix_nano=NOW_NS + (5 + (call + 1) * query_ms) * MS,
        )
        for call in range(calls)
    ]
    return [root, *children]


def fill(filled: FilledStore, tenant: Tenant, traces: Sequence[list[Span]]) -> None:
    """Store traces."""
    filled.insert(tenant, otlp.traces(*(span for spans in traces for span in spans)))


async def ask(client: httpx.AsyncClient, **parameters: str) -> CompareAnswer:
    """Return the answer to a comparison."""
    response = await client.get(PATH, params=parameters)
    assert response.status_code == 200, response.text
    return CompareAnswer.model_validate(response.json())


async def test_two_traces_are_compared_by_path(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """The path that makes the one longer is first; what only one has and which attributes differ is told."""
    fill(filled, tenant, [trace(0, query_ms=20), trace(1, query_ms=20, calls=3, version="2")])
    answer = await ask(client, left_trace="01" * 16, right_trace="02" * 16)
    assert answer.difference_ms == pytest.approx(40)
    first, second = answer.differences
    assert [(step.operation, step.kind) for step in first.path] == [("GET /", "server"), ("SELECT", "client")]
    assert first.contribution_ms == pytest.approx(40)
    assert first.left is not None
    assert first.right is not None
    assert (first.left.calls, first.right.calls, first.only) == (1, 3, None)
    assert (first.p_value, first.q_value) == (None, None)
    assert [(each.key, each.left, each.right) for each in second.attributes] == [("version", "1", "2")]
    assert answer.left.trace_id == "01" * 16


async def test_the_left_side_has_a_time_of_its_own(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Both its ends may be given, on whichever side of the other one it lies."""
    fill(filled, tenant, [trace(0, query_ms=20), trace(1, query_ms=20)])
    second = 10**9
    right = {"start": str(NOW_NS - second), "end": str(NOW_NS + second)}
    left = {"left_start": str(NOW_NS + 5 * second), "left_end": str(NOW_NS + 9 * second)}
    answer = await ask(client, **right, **left)
    assert (answer.left.read, answer.right.read) == (0, 2)


async def test_what_only_one_side_has_is_told(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """Its figures on the other side are null."""
    fill(filled, tenant, [trace(0, query_ms=20, calls=0), trace(1, query_ms=20)])
    answer = await ask(client, left_trace="01" * 16, right_trace="02" * 16)
    assert (answer.differences[0].only, answer.differences[0].left) == ("right", None)


async def test_two_versions_are_compared(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """Sets are told by conditions on a span; contributions have a significance."""
    traces = [trace(n, query_ms=20 + n % 3, version="1") for n in range(20)]
    traces += [trace(20 + n, query_ms=60 + n % 3, version="2") for n in range(20)]
    fill(filled, tenant, traces)
    answer = await ask(client, left="span.version=1", right="span.version=2")
    assert (answer.left.read, answer.right.read, answer.left.is_all) == (20, 20, True)
    first = answer.differences[0]
    assert first.path[-1].operation == "SELECT"
    assert first.contribution_ms == pytest.approx(40)
    assert first.q_value is not None
    assert first.q_value < 1e-6
    assert answer.scanned.rows > 0


async def test_bad_traces_are_compared_with_the_others(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """In the same time, a side without conditions has the traces that are not on the other."""
    fill(filled, tenant, [trace(n, query_ms=20, status=2 if n < 5 else 1) for n in range(20)])
    answer = await ask(client, right="status=error")
    assert (answer.left.others, answer.left.read, answer.right.read) == (True, 15, 5)
    assert (answer.left.errors_per_trace, answer.right.errors_per_trace) == (0, 1)
    turned = await ask(client, left="status=error")
    assert (turned.left.read, turned.right.read, turned.right.others) == (5, 15, True)


async def test_two_windows_are_compared(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """The left one is before the right one unless it is said; an empty side has zeros."""
    fill(filled, tenant, [trace(0, query_ms=20)])
    answer = await ask(client, start="1767225600", end="1767225601", left_end="1767225600")
    assert answer.left.window is not None
    assert answer.left.window.start == "2025-12-31T23:59:59.000000000Z"
    assert (answer.left.read, answer.left.mean_ms, answer.right.read) == (0, 0, 1)
    assert {each.only for each in answer.differences} == {"right"}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"left_trace": "01" * 16},
        {"left_trace": "01" * 16, "right_trace": "no"},
        {"left_trace": "01" * 16, "right_trace": "02" * 16, "window": "1h"},
        {"left": "status=error", "right": "status=error"},
        {"left": "status=bad"},
        {"left": "colour=red"},
        {"left": "service"},
        {"left": ["service=a", "service=b"]},
        {"left": "min_duration=soon"},
        {"left": ["span.a=1"] * 11},
        {"window": "1h", "start": "1767225600"},
        {"left": "status=error", "limit": "1001"},
    ],
)
async def test_what_cannot_be_compared_is_refused(
    client: httpx.AsyncClient, parameters: dict[str, str | list[str]]
) -> None:
    """A problem says why, and nothing is asked."""
    response = await client.get(PATH, params=parameters)
    assert (response.status_code, response.json()["code"]) == (400, "invalid_request")


async def test_a_trace_that_is_not_there_is_not_found(client: httpx.AsyncClient) -> None:
    """As everywhere."""
    response = await client.get(PATH, params={"left_trace": "01" * 16, "right_trace": "02" * 16})
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
