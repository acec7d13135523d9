import resource
import time
from collections.abc import AsyncIterator, Iterator
from itertools import islice
from typing import Any

import httpx
import pytest
from fastapi import APIRouter
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.api.app import create_app
from homeostat_server.api.big_traces import big_traces_router
from homeostat_server.api.reading import Reading
from homeostat_server.exceptions import NotFound, QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.big_traces.keeping import TraceTrees
from tests import otlp
from tests.otlp import NOW_NS, TRACE_ID
from tests.telemetry_store import FilledStore
from tests.unit.api.read.conftest import client_of

URL = f"/api/v1/traces/{TRACE_ID.hex()}"
LARGE = 20_000
HUGE = 1_000_000


@pytest.fixture
async def client(tenant: Tenant, reading: Reading) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the routes about one trace in windows."""
    app = create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=[big_traces_router(reading)])
    async with client_of(app, tenant) as made:
        yield made


def spans(count: int) -> Iterator[Span]:
    """Yield the spans of a trace in which each calls ten others, a hundred kinds of them; one in a thousand fails."""
    for number in range(1, count + 1):
        parent = (number + 8) // 10
        yield otlp.span(
            span_id=number.to_bytes(8),
            parent_span_id=parent.to_bytes(8) if parent else b"",
            name=f"step {number % 100}",
            start_time_unix_nano=NOW_NS + number * 1_000,
            end_time_unix_nano=NOW_NS + (count + 1) * 1_000,
            status={"code": 2} if number % 1_000 == 0 else None,
            attributes=[],
        )


def insert(filled: FilledStore, tenant: Tenant, count: int) -> None:
    """Store a trace of so many spans, a segment at a time."""
    made = spans(count)
    while piece := [*islice(made, 50_000)]:
        filled.insert(tenant, otlp.traces(*piece))


async def get(client: httpx.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - of a query
    """Return the document of an answer."""
    answer = await client.get(f"{URL}/{path}", params=parameters)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


async def test_a_large_trace_is_answered_in_windows(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """What it is like, what a screen shows of it, and where its time went, none of them in one piece."""
    insert(filled, tenant, LARGE)
    summary = await get(client, "summary")
    assert (summary["spans"], summary["errors"], summary["depth"]) == (LARGE, LARGE // 1_000, 6)
    assert summary["root"]["span_id"] == (1).to_bytes(8).hex()
    assert [row["span_id"] for row in summary["first_level"]] == [each.to_bytes(8).hex() for each in range(2, 12)]
    assert summary["services"] == [
        {"service": "shop", "spans": LARGE, "errors": 20, "self_ms": pytest.approx(summary["services"][0]["self_ms"])}
    ]
    closed = await get(client, "rows", depth=1)
    assert (closed["total"], [row["is_open"] for row in closed["rows"]]) == (11, [True] + [False] * 10)
    whole = await get(client, "rows", offset=LARGE - 5, limit=10)
    assert (whole["total"], len(whole["rows"])) == (LARGE, 5)
    shown = await get(client, "rows", depth=0, show=(LARGE).to_bytes(8).hex(), limit=20)
    assert shown["rows"][shown["shown"] - shown["offset"]]["span_id"] == LARGE.to_bytes(8).hex()
    below = await get(client, "rows", root=(2).to_bytes(8).hex(), limit=1)
    assert below["rows"][0]["span_id"] == (2).to_bytes(8).hex()
    flames = await get(client, "flamegraph", limit=50)
    assert len(flames["frames"]) == 50
    assert flames["frames_left_out"] > 0
    assert sum(frame["spans"] for frame in flames["frames"]) + flames["spans_left_out"] == LARGE


async def test_a_span_that_comes_late_is_seen(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """What is kept of a trace is forgotten when there is more of it."""
    insert(filled, tenant, 3)
    assert (await get(client, "summary"))["spans"] == 3
    late = otlp.span(span_id=(9).to_bytes(8), parent_span_id=(3).to_bytes(8), start_time_unix_nano=NOW_NS)
    filled.insert(tenant, otlp.traces(late))
    assert (await get(client, "rows"))["total"] == 4


def test_what_is_kept_is_bounded(filled: FilledStore) -> None:
    """The least recently used tree goes; another tenant's trace of the same id is another; none is none."""
    trees = TraceTrees(kept_spans_max=6, spans_max=4)
    tenants = [filled.new_tenant() for _ in range(4)]
    for count, tenant in enumerate(tenants[:3], start=2):
        insert(filled, tenant, count)
    sizes = [len(trees.tree(filled.store, tenant=each, trace_id=TRACE_ID.hex())) for each in tenants[:3]]
    assert sizes == [2, 3, 4]
    assert trees.kept_spans == 4
    first = trees.tree(filled.store, tenant=tenants[2], trace_id=TRACE_ID.hex())
    assert trees.tree(filled.store, tenant=tenants[2], trace_id=TRACE_ID.hex()) is first
    insert(filled, tenants[3], 5)
    with pytest.raises(QueryLimit):
        trees.tree(filled.store, tenant=tenants[3], trace_id=TRACE_ID.hex())
    with pytest.raises(NotFound):
        trees.tree(filled.store, tenant=tenants[3], trace_id="0" * 32)


@pytest.mark.parametrize(
    "path",
    [
        "rows?limit=0",
        "rows?limit=1001",
        "rows?offset=-1",
        "rows?open=x",
        f"rows?closed={'f' * 16}",
        f"rows?show={'f' * 16}",
        f"rows?root={(2).to_bytes(8).hex()}&show={(1).to_bytes(8).hex()}",
        "rows?page=1",
        "flamegraph?limit=10001",
    ],
)
async def test_a_wrong_question_is_a_400(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient, path: str
) -> None:
    """With a problem document."""
    insert(filled, tenant, 2)
    answer = await client.get(f"{URL}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_request")


@pytest.mark.parametrize("path", ["summary", "rows", "flamegraph"])
async def test_an_unknown_trace_is_a_404(client: httpx.AsyncClient, path: str) -> None:
    """As it is for the whole trace."""
    assert (await client.get(f"{URL}/{path}")).status_code == 404


@pytest.mark.prove
async def test_a_trace_of_a_million_spans_is_answered_in_windows(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """The first look takes seconds, further ones a fraction of one, and all of it less than a gigabyte."""
    insert(filled, tenant, HUGE)
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    took_s: dict[str, float] = {}
    first, *further = ("rows", "summary", "rows?depth=2", f"rows?offset={HUGE - 200}&limit=200", "flamegraph")
    for path in (first, *further):
        began_s = time.monotonic()
        assert (await client.get(f"{URL}/{path}")).status_code == 200
        took_s[path] = time.monotonic() - began_s
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    print(took_s, f"{grown_kib // 1024} MiB more")  # noqa: T201 - the figures are what this is for
    assert took_s[first] < 20
    assert max(took_s[path] for path in further) < 2
    assert grown_kib < 1024 * 1024
