from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from homeostat_server.api.app import create_app
from homeostat_server.api.reading import Reading
from homeostat_server.api.traceql import TraceqlMetricsAnswer, TraceqlSearchAnswer, traceql_router
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.telemetry_store import FilledStore

PATH = "/api/v1/traceql"


@pytest.fixture
async def client(reading: Reading, tenant: Tenant, filled: FilledStore) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the routes of TraceQL; there is one trace with a span."""
    filled.insert(tenant, otlp.traces(otlp.span()))
    app = create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=[traceql_router(reading)])
    headers = {"X-Scope-OrgID": tenant}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://server", headers=headers
    ) as opened:
        yield opened


async def test_a_search_tells_traces_with_the_spans_that_were_found(client: httpx.AsyncClient) -> None:
    """Values have types, and the answer says what it cost."""
    query = '{ name = "GET /" && span.key.0 = "value" } | select(resource.service.name)'
    response = await client.get(PATH, params={"query": query})
    assert response.status_code == 200, response.text
    answer = TraceqlSearchAnswer.model_validate(response.json())
    [trace] = answer.traces
    [spanset] = trace.spansets
    [span] = spanset.spans
    assert (trace.trace_id, trace.root_service, trace.root_name) == (otlp.TRACE_ID.hex(), "shop", "GET /")
    assert (spanset.matched, span.span_id) == (1, otlp.SPAN_ID.hex())
    assert [(value.name, value.type, value.value) for value in span.attributes] == [
        ("span.key.0", "string", "value"),
        ("resource.service.name", "string", "shop"),
    ]
    assert answer.scanned.rows > 0


async def test_metrics_are_told_by_step_or_for_the_window(client: httpx.AsyncClient) -> None:
    """Without a step there is one sample, at the end."""
    params = {"query": "{ } | count_over_time() by(name)", "exemplars": "1"}
    whole = TraceqlMetricsAnswer.model_validate((await client.get(f"{PATH}/metrics", params=params)).json())
    steps = TraceqlMetricsAnswer.model_validate(
        (await client.get(f"{PATH}/metrics", params=params | {"step": "30m"})).json()
    )
    assert [(sample.time, sample.value) for sample in whole.series[0].samples] == [(whole.window.end[:-4] + "000Z", 1)]
    assert sum(sample.value or 0 for sample in steps.series[0].samples) == 1
    assert whole.series[0].exemplars[0].trace_id == otlp.TRACE_ID.hex()
    assert [(label.name, label.value) for label in whole.series[0].labels] == [("name", "GET /")]


@pytest.mark.parametrize(
    ("path", "query", "told"),
    [
        (PATH, "{ .a == 1 }", "line 1, column 7"),
        (PATH, "{ } | rate()", "metrics API"),
        (f"{PATH}/metrics", "{ }", "Add a metric"),
        (PATH, "{ parent.a = 1 }", "the scope parent is not supported"),
    ],
)
async def test_a_wrong_query_is_refused_with_its_place(
    client: httpx.AsyncClient, path: str, query: str, told: str
) -> None:
    """The caller sees where the fault is and what to write instead."""
    response = await client.get(path, params={"query": query})
    assert response.status_code == 400
    assert told in response.text
