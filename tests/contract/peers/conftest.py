"""The platform's routes over a real store that holds the traces which the peers were sent."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from homeostat_server.api.app import create_app
from homeostat_server.api.jaeger.dependencies import jaeger_dependencies_router
from homeostat_server.api.jaeger.routes import jaeger_router
from homeostat_server.api.reading import Reading
from homeostat_server.api.tempo.routes import tempo_router
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.query.summaries.keeping import KeptSummaries
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.security.tokens import Headers
from tests.peers.traces import START_NS, requests
from tests.telemetry_store import FilledStore, filled_store


class Open:
    """Let everybody in."""

    def authenticate(self, headers: Headers, *, scope: Scope) -> Principal:
        """Return who is asking."""
        assert headers is not None
        return Principal(tenant=DEFAULT_TENANT, scopes=frozenset({scope}))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store with the traces."""
    folder: Path = tmp_path_factory.mktemp("store")
    with filled_store(folder) as store:
        store.insert(DEFAULT_TENANT, *requests(), received_ns=START_NS)
        yield store


@pytest.fixture
async def client(filled: FilledStore) -> "httpx.AsyncClient":
    """Return a client of the routes, a quarter of an hour after the traces began."""
    clock = ManualClock(now_ns=START_NS + 15 * 60 * 10**9)
    reading = Reading(filled.store, authenticator=Open(), clock=clock, telemetry=Telemetry())
    routers = [jaeger_router(reading), jaeger_dependencies_router(reading, KeptSummaries()), tempo_router(reading)]
    app = create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=routers)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")
