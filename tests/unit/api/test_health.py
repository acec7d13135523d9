import asyncio

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from homeostat_server.api.app import create_app
from homeostat_server.api.health import Dependency, Health, health_router
from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock


class World:
    """A process with a store that is needed, a disk that is watched, and a clock."""

    def __init__(self) -> None:
        """Begin started and well."""
        self.clock = ManualClock()
        self.started = True
        self.store_error: Exception | None = None
        self.disk_error: Exception | None = None
        self.asked = 0
        store = Dependency(name="store", probe=self._ask_store)
        disk = Dependency(name="disk", probe=self._ask_disk, needed=False)
        self.health = Health([store, disk], started=lambda: self.started, clock=self.clock, probe_timeout_s=0.01)

    async def _ask_store(self) -> dict[str, object]:
        self.asked += 1
        self.clock.advance(0.0125)
        if self.store_error is not None:
            raise self.store_error
        return {"segments": 3}

    async def _ask_disk(self) -> dict[str, object]:
        if isinstance(self.disk_error, TimeoutError):
            await asyncio.Event().wait()
        if self.disk_error is not None:
            raise self.disk_error
        return {}

    def app(self) -> FastAPI:
        """Return an application with nothing but health."""
        routes = health_router(self.health, telemetry=Telemetry(), version="1.2.3")
        return create_app(version="1.2.3", guard=lambda _headers: None, ingest=APIRouter(), routers=[routes])

    async def get(self, path: str) -> httpx.Response:
        """Ask one of the routes."""
        transport = httpx.ASGITransport(self.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await client.get(path)


@pytest.fixture
def world() -> World:
    """Return a process that is well."""
    return World()


async def test_all_is_well(world: World) -> None:
    """Health shows every dependency with its latency and facts."""
    response = await world.get("/health")
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert response.json() == {
        "status": "ok",
        "version": "1.2.3",
        "checks": {
            "store": {"status": "ok", "latency_ms": 12.5, "needed": True, "segments": 3},
            "disk": {"status": "ok", "latency_ms": 0.0, "needed": False},
        },
    }


async def test_a_needed_dependency_that_fails_takes_the_process_down(world: World) -> None:
    """Without the store nothing useful is served: health and readiness say so, liveness does not."""
    world.store_error = StoreUnavailable("ask the store", hint="It is starting.")
    overall, readiness = await world.get("/health"), await world.get("/health/readiness")
    assert (overall.status_code, overall.json()["status"]) == (503, "down")
    assert overall.json()["checks"]["store"]["error"] == "ask the store (It is starting.)"
    assert (readiness.status_code, readiness.json()) == (503, {"status": "down", "failing": ["store"]})
    assert (await world.get("/health/liveness")).status_code == 200
    assert not await world.health.is_ready()


@pytest.mark.parametrize(
    ("error", "told"),
    [(OSError(28, "No space left on device"), "No space left"), (TimeoutError(), "no answer in 0.01 s")],
)
async def test_what_is_only_watched_degrades(world: World, error: Exception, told: str) -> None:
    """A dependency that is not needed, failing or silent, is shown and stops nobody."""
    world.disk_error = error
    response = await world.get("/health")
    assert (response.status_code, response.json()["status"]) == (200, "degraded")
    assert told in response.json()["checks"]["disk"]["error"]
    assert (await world.get("/health/readiness")).json() == {"status": "ok", "failing": []}


async def test_a_process_that_starts_or_stops_is_not_ready(world: World) -> None:
    """Before start-up has ended, and once a stop has begun, no traffic should come."""
    world.started = False
    startup, readiness = await world.get("/health/startup"), await world.get("/health/readiness")
    assert (startup.status_code, startup.json()["status"]) == (503, "starting")
    assert readiness.status_code == 503
    assert (await world.get("/health")).json()["status"] == "down"
    world.started = True
    assert (await world.get("/health/startup")).status_code == 200


async def test_answers_are_kept_for_a_second(world: World) -> None:
    """A crowd of probes asks the dependencies once."""
    await asyncio.gather(*(world.health.findings() for _ in range(20)))
    assert world.asked == 1
    world.clock.advance(1)
    assert await world.health.is_ready()
    assert world.asked == 2


async def test_metrics_are_served_for_prometheus(client: httpx.AsyncClient) -> None:
    """The self-metrics come in Prometheus's text format, in the version that the scraper accepts."""
    response = await client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert "homeostat_ingest_inflight_bytes 0.0" in response.text
    modern = await client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert modern.headers["content-type"].startswith("application/openmetrics-text")
