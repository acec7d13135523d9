from collections.abc import Mapping
from typing import Any, cast

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from homeostat_server.api.app import create_app
from homeostat_server.api.reading import Authenticates, Reading
from homeostat_server.api.traces import traces_router
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.traces.lookup import SPANS_PER_PIECE
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.store.ports import Parameter, Row, TelemetryStore
from homeostat_server.store.watched import QueryWatch
from tests import otlp
from tests.otlp import NOW_NS, TRACE_ID
from tests.telemetry_store import FilledStore
from tests.unit.api.read.conftest import client_of

URL = f"/api/v1/traces/{TRACE_ID.hex()}"
PROTOBUF = {"Accept": "application/x-protobuf"}


def span_ids(document: dict[str, Any]) -> list[str]:
    """Return the ids of all spans in OTLP/JSON."""
    return [
        span["spanId"]
        for block in document["resourceSpans"]
        for scope in block["scopeSpans"]
        for span in scope["spans"]
    ]


def numbered(count: int) -> list[Span]:
    """Return so many spans with growing starts and ids."""
    return [
        otlp.span(span_id=number.to_bytes(8), start_time_unix_nano=NOW_NS + number, attributes=[])
        for number in range(1, count + 1)
    ]


async def test_a_trace_is_the_otlp_that_was_sent(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """As JSON by default, as protobuf for who accepts it."""
    request = otlp.traces(otlp.span())
    filled.insert(tenant, request)
    as_json = await client.get(URL)
    assert as_json.status_code == 200
    assert as_json.headers["content-type"] == "application/json"
    assert as_json.json() == to_otlp_json(request)
    as_protobuf = await client.get(URL, headers=PROTOBUF)
    assert as_protobuf.headers["content-type"] == "application/x-protobuf"
    assert TracesData.FromString(as_protobuf.content) == TracesData(resource_spans=request.resource_spans)


async def test_an_unknown_trace_is_a_404(client: httpx.AsyncClient) -> None:
    """With a problem document."""
    answer = await client.get(URL)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_found"


async def test_a_trace_of_another_tenant_is_a_404(filled: FilledStore, client: httpx.AsyncClient) -> None:
    """Nothing tells it from one that is not there."""
    filled.insert(filled.new_tenant(), otlp.traces(otlp.span()))
    assert (await client.get(URL)).status_code == 404


class Expired:
    """Read from a real store whose spans are over their time while the bounds of their traces are not yet."""

    def __init__(self, filled: FilledStore) -> None:
        self._store = filled.store

    def watched(self, watch: QueryWatch) -> "Expired":  # noqa: ARG002 - nobody cancels
        """Read without a watch."""
        return self

    def read(self, tenant: Tenant, sql: str, parameters: Mapping[str, Parameter]) -> list[Row]:
        """Read, but no spans."""
        return [] if "FROM telemetry.spans" in sql else self._store.read(tenant, sql, parameters)


async def test_a_trace_whose_spans_expired_is_a_404(
    filled: FilledStore, tenant: Tenant, authenticator: Authenticates, telemetry: Telemetry
) -> None:
    """What is left of it is no answer."""
    filled.insert(tenant, otlp.traces(otlp.span()))
    store = cast("TelemetryStore", Expired(filled))
    reading = Reading(store, authenticator=authenticator, clock=SystemClock(), telemetry=telemetry)
    app = create_app(version="0", guard=lambda _: None, ingest=traces_router(reading))
    async with client_of(app, tenant) as client:
        assert (await client.get(URL)).status_code == 404


@pytest.mark.parametrize("path", ["/api/v1/traces/abc", f"{URL}?limit=0", f"{URL}?limit=100001", f"{URL}?lmit=1"])
async def test_a_wrong_question_is_a_400(client: httpx.AsyncClient, path: str) -> None:
    """Also a parameter that is not known: one that is ignored would be a wrong answer."""
    answer = await client.get(path)
    assert answer.status_code == 400
    assert answer.json()["code"] == "invalid_request"


@pytest.mark.parametrize("headers", [{}, PROTOBUF])
async def test_a_large_trace_comes_in_pieces_that_are_one_document(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    """Every span once, in order, and nothing says that it is cut."""
    spans = numbered(2 * SPANS_PER_PIECE)
    filled.insert(tenant, otlp.traces(*spans))
    answer = await client.get(URL, headers=headers)
    document = to_otlp_json(TracesData.FromString(answer.content)) if headers else answer.json()
    assert span_ids(document) == [span.span_id.hex() for span in spans]
    assert "truncated" not in document
    assert "homeostat-truncated" not in answer.headers


@pytest.mark.parametrize("limit", [1, 7, SPANS_PER_PIECE, SPANS_PER_PIECE + 1])
async def test_a_trace_over_the_limit_says_that_it_is_cut(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient, limit: int
) -> None:
    """In a header and in the last member of the JSON; the first spans are given."""
    spans = numbered(SPANS_PER_PIECE + 5)
    filled.insert(tenant, otlp.traces(*spans))
    answer = await client.get(URL, params={"limit": limit})
    document = answer.json()
    assert answer.headers["homeostat-truncated"] == f"{limit} of {len(spans)} spans"
    assert document["truncated"] == {"given": limit, "of": len(spans)}
    assert span_ids(document) == [span.span_id.hex() for span in spans[:limit]]
    as_protobuf = await client.get(URL, params={"limit": limit}, headers=PROTOBUF)
    assert len(span_ids(to_otlp_json(TracesData.FromString(as_protobuf.content)))) == limit


async def test_a_trace_of_exactly_the_limit_is_whole(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Nothing is left out, so nothing is said."""
    filled.insert(tenant, otlp.traces(*numbered(3)))
    answer = await client.get(URL, params={"limit": 3})
    assert len(span_ids(answer.json())) == 3
    assert "homeostat-truncated" not in answer.headers
