from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.security.keys import KeyRing
from homeostat_server.store.state.api_keys import ApiKeyRecords
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.dsn import default_state_dsn
from homeostat_server.store.state.migration import open_state


@pytest.fixture
def clock() -> ManualClock:
    """Return a clock that stands still."""
    return ManualClock()


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of this test alone."""
    return Telemetry()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[StateDatabase]:
    """Return a state database without keys."""
    opened = open_state(default_state_dsn(tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def ring(database: StateDatabase, clock: ManualClock, telemetry: Telemetry) -> KeyRing:
    """Return a key ring that has read the empty database and is not refreshed by a thread."""
    made = KeyRing(ApiKeyRecords(database), clock=clock, telemetry=telemetry)
    made.refresh()
    return made
