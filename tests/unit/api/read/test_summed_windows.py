from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter

from homeostat_server.api.app import create_app
from homeostat_server.api.bottlenecks import BottlenecksAnswer, bottlenecks_router
from homeostat_server.api.reading import Reading
from homeostat_server.api.service_map import ServiceMapAnswer, service_map_router
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.summaries.keeping import KeptSummaries
from tests.otlp import NOW_NS
from tests.said_spans import request
from tests.slow_traces import Said
from tests.telemetry_store import FilledStore

MS = 10**6
HOUR = {"start": "1767225000", "end": "1767226200"}


@pytest.fixture
async def client(reading: Reading, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that asks for this test's tenant."""
    kept = KeptSummaries()
    routers = [service_map_router(reading, kept), bottlenecks_router(reading, kept)]
    app = create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=routers)
    headers = {"X-Scope-OrgID": tenant}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://test", headers=headers
    ) as opened:
        yield opened


def fill(filled: FilledStore, tenant: Tenant, *, requests: int = 4, begin_ns: int = NOW_NS) -> None:
    """Store requests to a shop that calls a till, then reads items from a database one after the other."""
    spans = []
    for number in range(requests):
        trace, begin = begin_ns + number, begin_ns + number * 100 * MS
        spans += [
            Said(trace=trace, span=1, parent=0, start_ns=begin, duration_ns=60 * MS, name="GET /cart", kind=2),
            Said(trace=trace, span=2, parent=1, start_ns=begin + MS, duration_ns=20 * MS, name="POST", kind=3),
            Said(
                trace=trace,
                span=3,
                parent=2,
                start_ns=begin + 2 * MS,
                duration_ns=15 * MS,
                service="till",
                name="POST /pay",
                kind=2,
                status=2,
            ),
        ]
        spans += [
            Said(
                trace=trace,
                span=10 + item,
                parent=1,
                start_ns=begin + (30 + 3 * item) * MS,
                duration_ns=2 * MS,
                name="SELECT",
                kind=3,
                attributes=(("db.system", "postgresql"),),
            )
            for item in range(8)
        ]
    filled.insert(tenant, request(spans))


async def test_the_map_has_services_and_what_they_call(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """Edges have figures, a database is named by what its callers say, and the answer tells what it stands on."""
    fill(filled, tenant)
    answer = (await client.get("/api/v1/service-map", params=HOUR)).json()
    ServiceMapAnswer.model_validate(answer)
    edges = {(edge["caller"]["name"], edge["callee"]["name"]): edge for edge in answer["edges"]}
    assert set(edges) == {("shop", "till"), ("shop", "postgresql")}
    paid = edges["shop", "till"]
    assert (paid["calls"], paid["errors"], paid["error_rate"], paid["is_async"]) == (4, 4, 1.0, False)
    assert paid["p50_ms"] == pytest.approx(15, rel=0.006)
    assert [(node["kind"], node["calls_are"]) for node in answer["nodes"]] == [
        ("database", "incoming"),
        ("service", "entry"),
        ("service", "entry"),
    ]
    assert (answer["basis"]["spans"], answer["basis"]["parents_seen"]) == (44, 1.0)
    assert answer["scanned"]["rows"] > 0


async def test_a_map_around_a_service_has_its_neighbours(
    filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    """At most so many calls away, in both directions."""
    fill(filled, tenant)
    near = (await client.get("/api/v1/service-map", params={**HOUR, "service": "till"})).json()
    assert [node["name"] for node in near["nodes"]] == ["shop", "till"]
    far = (await client.get("/api/v1/service-map", params={**HOUR, "service": "till", "depth": 2})).json()
    assert [node["name"] for node in far["nodes"]] == ["postgresql", "shop", "till"]


async def test_a_map_says_what_changed(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """What was not there before is new, what is not there any more is gone and has no calls."""
    fill(filled, tenant)
    window = {"start": "1767225600", "end": "1767225660", "compare": "previous"}
    new = (await client.get("/api/v1/service-map", params=window)).json()
    assert {edge["change"]["came"] for edge in new["edges"]} == {"new"}
    window = {"start": "1767225660", "end": "1767225720", "compare": "1767225600"}
    gone = (await client.get("/api/v1/service-map", params=window)).json()
    assert {(edge["calls"], edge["change"]["came"]) for edge in gone["edges"]} == {(0, "gone")}
    assert gone["compared_with"]["start"] == "2026-01-01T00:00:00.000000000Z"
    same = (await client.get("/api/v1/service-map", params={**HOUR, "compare": "1767225000"})).json()
    assert {edge["change"]["came"] for edge in same["edges"]} == {""}


async def test_bottlenecks_are_ranked(filled: FilledStore, tenant: Tenant, client: httpx.AsyncClient) -> None:
    """By own time on critical paths, which add up to the time of all requests; patterns come with evidence."""
    fill(filled, tenant)
    answer = (await client.get("/api/v1/bottlenecks", params=HOUR)).json()
    BottlenecksAnswer.model_validate(answer)
    times = {one["operation"]: one["now"]["self_ms"] for one in answer["operations"]}
    assert times == {"GET /cart": 4 * 24, "SELECT": 4 * 16, "POST /pay": 4 * 15, "POST": 4 * 5}
    assert sum(times.values()) == answer["paths"]["requests_ms"] == 240
    [pattern] = answer["patterns"]
    assert (pattern["name"], pattern["operation"], pattern["calls"], pattern["share"]) == (
        "n_plus_one",
        "GET /cart",
        8,
        1.0,
    )
    assert pattern["callees"] == [{"service": "shop", "operation": "SELECT", "peer": "postgresql"}]
    of_till = (await client.get("/api/v1/bottlenecks", params={**HOUR, "service": "till"})).json()
    assert ([one["operation"] for one in of_till["operations"]], of_till["patterns"]) == (["POST /pay"], [])
    alone = (await client.get("/api/v1/bottlenecks", params={**HOUR, "compare": "none", "limit": 1})).json()
    assert (alone["compared_with"], len(alone["operations"])) == (None, 1)


async def test_long_windows_are_widened_to_whole_buckets(tenant: Tenant, client: httpx.AsyncClient) -> None:
    """The answer says what it is about; short windows stay as they are, and nothing in them is no error."""
    long = {"start": "1767225601", "end": "1767227401"}
    answer = (await client.get("/api/v1/service-map", params=long)).json()
    assert answer["window"] == {"start": "2026-01-01T00:00:00.000000000Z", "end": "2026-01-01T00:35:00.000000000Z"}
    assert (answer["nodes"], answer["edges"], answer["basis"]["parents_seen"]) == ([], [], 1.0)
    short = (await client.get("/api/v1/bottlenecks", params={"start": "1767225601", "end": "1767225611"})).json()
    assert short["window"]["start"] == "2026-01-01T00:00:01.000000000Z"
    assert (short["operations"], short["patterns"]) == ([], [])


@pytest.mark.parametrize(
    "asked", [{"compare": "yesterday"}, {"depth": "0"}, {"start": "0", "end": "60", "compare": "previous"}, {"x": "1"}]
)
async def test_what_cannot_be_asked_is_an_error(asked: dict[str, str], client: httpx.AsyncClient) -> None:
    """A window that is none, a depth out of bounds, a parameter that is not known."""
    assert (await client.get("/api/v1/service-map", params=asked)).status_code in {400, 422}
