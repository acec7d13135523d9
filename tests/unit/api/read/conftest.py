from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from homeostat_server.api.app import create_app
from homeostat_server.api.compare import compare_router
from homeostat_server.api.error_correlation import error_correlation_router
from homeostat_server.api.history import history_router
from homeostat_server.api.logs import logs_router
from homeostat_server.api.metrics import metrics_router
from homeostat_server.api.reading import Reading
from homeostat_server.api.services import services_router
from homeostat_server.api.traces import traces_router
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.security.tokens import Headers
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore, filled_store


class ByHeader:
    """Let everybody read what the header `X-Scope-OrgID` names; remember what was asked for."""

    def __init__(self) -> None:
        self.scopes: set[Scope] = set()

    def authenticate(self, headers: Headers, *, scope: Scope) -> Principal:
        """Return who is asking."""
        self.scopes.add(scope)
        [tenant] = [value for name, value in headers if name == b"x-scope-orgid"]
        assert isinstance(tenant, bytes)
        return Principal(tenant=Tenant(tenant.decode()), scopes=frozenset({scope}))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store; each test takes a tenant of its own."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture
def tenant(filled: FilledStore) -> Tenant:
    """Return a tenant of this test alone."""
    return filled.new_tenant()


@pytest.fixture
def authenticator() -> ByHeader:
    """Return who lets everybody in."""
    return ByHeader()


@pytest.fixture
def reading(filled: FilledStore, authenticator: ByHeader, telemetry: Telemetry) -> Reading:
    """Return the way to the real store, a minute after everything in the tests happened."""
    clock = ManualClock(now_ns=NOW_NS + 60 * 10**9)
    return Reading(filled.store, authenticator=authenticator, clock=clock, telemetry=telemetry)


@pytest.fixture
def app(reading: Reading) -> FastAPI:
    """Return the application with the routes that read."""
    makers = (
        traces_router,
        services_router,
        logs_router,
        metrics_router,
        error_correlation_router,
        compare_router,
        history_router,
    )
    routers = [make(reading) for make in makers]
    return create_app(version="0", guard=lambda _: None, ingest=APIRouter(), routers=routers)


@asynccontextmanager
async def client_of(app: FastAPI, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of an application that asks for a tenant."""
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers={"X-Scope-OrgID": tenant}
    ) as client:
        yield client


@pytest.fixture
async def client(app: FastAPI, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client that asks for this test's tenant."""
    async with client_of(app, tenant) as opened:
        yield opened
