from typing import Any

import httpx
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from homeostat_server.api.search import TracesAnswer
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

LINKED = "0123456789abcdef" * 2


async def test_traces_are_listed_page_by_page(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """Newest first, with what is worth knowing of each."""
    spans = [
        otlp.span(
            trace_id=bytes([number] * 16), start_time_unix_nano=NOW_NS + number, end_time_unix_nano=NOW_NS + 2_000_000
        )
        for number in range(1, 4)
    ]
    filled.insert(tenant, otlp.traces(*spans))
    first = (await client.get("/api/v1/traces", params={"limit": 2})).json()
    second = (await client.get("/api/v1/traces", params={"limit": 2, "cursor": first["next_cursor"]})).json()
    assert [trace["trace_id"] for trace in first["traces"] + second["traces"]] == ["03" * 16, "02" * 16, "01" * 16]
    assert second["next_cursor"] is None
    assert (
        first["window"]
        == second["window"]
        == {
            "start": "2025-12-31T23:01:00.000000001Z",
            "end": "2026-01-01T00:01:00.000000001Z",
        }
    )
    assert second["traces"] == [
        {
            "trace_id": "01" * 16,
            "root_service": "shop",
            "root_operation": "GET /",
            "root_kind": "server",
            "root_status": "unset",
            "start": "2026-01-01T00:00:00.000000001Z",
            "duration_ms": 1.999999,
            "spans": 1,
            "errors": 0,
            "services": ["shop"],
            "matched_spans": 1,
            "newest_match": "2026-01-01T00:00:00.000000001Z",
            "longest_match_ms": 1.999999,
        }
    ]
    assert second["scanned"]["rows"] >= 3
    assert second["scanned"]["bytes"] > 0
    assert TracesAnswer.model_validate(first).traces[0].trace_id == "03" * 16


@pytest.mark.parametrize(
    "case",
    [
        ({"service": "shop"}, 1),
        ({"service": "cart"}, 0),
        ({"operation": "GET /"}, 1),
        ({"status": "error"}, 0),
        ({"status": "unset"}, 1),
        ({"min_duration": "1us"}, 1),
        ({"min_duration": "1.5us"}, 0),
        ({"max_duration": "1us"}, 1),
        ({"max_duration": "999ns"}, 0),
        ({"start": "2026-01-01T00:00:00Z", "end": "1767225601"}, 1),
        ({"end": "2026-01-01T00:00:00Z"}, 0),
        ({"window": "2m"}, 1),
        ({"window": "59s"}, 0),
        ({"kind": "server"}, 1),
        ({"kind": "client"}, 0),
        ({"attribute": "key.0=value"}, 1),
        ({"attribute": ["key.0=value", "key.1~^val"]}, 1),
        ({"attribute": ["key.0=value", "key.1!=value"]}, 0),
        ({"attribute": '"key.0"'}, 1),
        ({"attribute": "!key.0"}, 0),
        ({"attribute": "key.0>=1"}, 0),
        ({"resource_attribute": "service.name=shop"}, 1),
        ({"resource_attribute": "service.name~^cart$"}, 0),
        ({"scope_attribute": "otel.scope.name=tests"}, 1),
        ({"scope_attribute": "otel.scope.version>1"}, 0),
        ({"event": "exception"}, 1),
        ({"event": "other"}, 0),
        ({"event_attribute": "exception.type=TimeoutError"}, 1),
        ({"event_attribute": "!exception.type"}, 0),
        ({"link": LINKED}, 1),
        ({"link": LINKED.upper()}, 1),
        ({"link": "0" * 32}, 0),
        ({"link_attribute": "reason"}, 1),
        ({"order": "slowest"}, 1),
        ({"order": "errors"}, 0),
    ],
)
async def test_conditions_narrow_the_list(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient, case: tuple[dict[str, Any], int]
) -> None:
    """Each of them does."""
    parameters, expected = case
    filled.insert(tenant, otlp.traces(described()))
    answer = await client.get("/api/v1/traces", params=parameters)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["traces"]) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"start": "yesterday"},
        {"start": "2026-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
        {"start": "2025-01-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "x"},
        {"status": "bad"},
        {"min_duration": "long"},
        {"cursor": "x"},
        {"sevice": "shop"},
        {"window": "1h", "start": "2026-01-01T00:00:00Z"},
        {"window": "-1h"},
        {"kind": "middle"},
        {"order": "best"},
        {"link": "abc"},
        {"attribute": ""},
        {"attribute": "="},
        {"attribute": "!key=value"},
        {"attribute": "key>ten"},
        {"attribute": "key~("},
        {"attribute": [f"key.{number}" for number in range(21)]},
    ],
)
async def test_a_wrong_condition_is_a_400(client: httpx.AsyncClient, parameters: dict[str, Any]) -> None:
    """With a problem document that names what is wrong."""
    answer = await client.get("/api/v1/traces", params=parameters)
    assert answer.status_code == 400
    problem = answer.json()
    assert problem["code"] == "invalid_request"
    assert any(name in problem["detail"] for name in (*parameters, "window", "trace id", "regular expression"))


async def test_the_slowest_and_those_with_most_errors_come_first(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Page by page too; a cursor is of its order."""
    spans = [
        otlp.span(
            trace_id=bytes([number] * 16),
            span_id=span.to_bytes(8),
            end_time_unix_nano=NOW_NS + 10**6 * (10 - number),
            status=Status(code=Status.STATUS_CODE_ERROR),
        )
        for number in range(1, 4)
        for span in range(1, number + 1)
    ]
    filled.insert(tenant, otlp.traces(*spans))
    for order, expected in {"slowest": [1, 2, 3], "errors": [3, 2, 1]}.items():
        asked: dict[str, str | int] = {"limit": 2, "order": order}
        first = (await client.get("/api/v1/traces", params=asked)).json()
        second = (await client.get("/api/v1/traces", params={**asked, "cursor": first["next_cursor"]})).json()
        found = [trace["trace_id"] for trace in first["traces"] + second["traces"]]
        assert found == [bytes([number] * 16).hex() for number in expected]
        other = await client.get("/api/v1/traces", params={"limit": 2, "cursor": first["next_cursor"]})
        assert other.json()["attempted"] == "go on with the cursor of another list"


def described() -> Span:
    """Return a span that says something everywhere."""
    return otlp.span(
        events=[Span.Event(name="exception", attributes=[said("exception.type", "TimeoutError")])],
        links=[Span.Link(trace_id=bytes.fromhex(LINKED), span_id=otlp.SPAN_ID, attributes=[said("reason", "retry")])],
    )


def said(key: str, value: str) -> KeyValue:
    """Return an attribute."""
    return KeyValue(key=key, value=AnyValue(string_value=value))
