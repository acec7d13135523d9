from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from homeostat_server.api.app import create_app
from homeostat_server.api.health import Dependency, Health, health_router
from homeostat_server.api.ingest import ingest_router
from homeostat_server.api.reception import Reception
from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.intake import Intake
from homeostat_server.ingest.intake_counts import IntakeCounts
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.authentication import Authenticator
from homeostat_server.security.binding import Binding
from homeostat_server.security.keys import KeyRing
from homeostat_server.store.state.api_keys import ApiKeyRecords
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.dsn import default_state_dsn
from homeostat_server.store.state.migration import open_state

BODY_BYTES_MAX = 1 << 20


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of this test alone."""
    return Telemetry()


@pytest.fixture
def spools() -> dict[Signal, MemorySpool]:
    """Return a spool for each signal."""
    return {signal: MemorySpool() for signal in Signal}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StateDatabase]:
    """Return a state database without keys."""
    opened = open_state(default_state_dsn(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def keys(database: StateDatabase, telemetry: Telemetry) -> KeyRing:
    """Return a ring without keys: the server runs open until a test makes one."""
    ring = KeyRing(ApiKeyRecords(database), clock=SystemClock(), telemetry=telemetry)
    ring.refresh()
    return ring


@pytest.fixture
def admission(telemetry: Telemetry) -> Admission:
    """Return room for four of the largest bodies."""
    return Admission(bytes_max=4 * BODY_BYTES_MAX, requests_max=100, telemetry=telemetry)


@pytest.fixture
def reception(
    spools: dict[Signal, MemorySpool], keys: KeyRing, admission: Admission, telemetry: Telemetry
) -> Iterator[Reception]:
    """Return what an export request passes, with memory at its end."""
    counts = IntakeCounts(telemetry)
    intake = Intake(spools, body_bytes_max=BODY_BYTES_MAX, attributes_max=100, counts=counts)
    yield Reception(
        authenticator=Authenticator(keys, binding=Binding(exposed_hosts=()), telemetry=telemetry),
        admission=admission,
        intake=intake,
        counts=counts,
        clock=SystemClock(),
        body_bytes_max=BODY_BYTES_MAX,
    )
    intake.close()


@dataclass
class Spoilable:
    """A dependency that fails when a test says so."""

    error: Exception | None = None

    async def probe(self) -> dict[str, object]:
        """Answer, or fail."""
        if self.error is not None:
            raise self.error
        return {"segments": 0}


@pytest.fixture
def dependency() -> Spoilable:
    """Return the dependency of the health checks."""
    return Spoilable()


@pytest.fixture
def app(reception: Reception, telemetry: Telemetry, dependency: Spoilable) -> FastAPI:
    """Return the application with the OTLP and health routes."""
    health = Health([Dependency(name="spool", probe=dependency.probe)], started=lambda: True, clock=SystemClock())
    return create_app(
        version="1.2.3",
        guard=reception.authenticator.refuse_foreign_page,
        ingest=ingest_router(reception),
        routers=[health_router(health, telemetry=telemetry, version="1.2.3")],
    )


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """Return a client of the application in this process, as a caller on this machine."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost:4318") as made:
        yield made
