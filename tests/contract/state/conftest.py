from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.migration import open_state
from tests.postgresql import PostgresqlServer, postgresql

__all__ = ["postgresql"]


@pytest.fixture(scope="session")
def database_names() -> Iterator[str]:
    """Give names that no test had before."""
    return (f"state_{number}" for number in count())


@pytest.fixture(params=["sqlite", "postgresql"])
def state_dsn(request: pytest.FixtureRequest, tmp_path: Path, database_names: Iterator[str]) -> str:
    """Return the address of a state database that nobody has used yet, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/state.sqlite"
    server: PostgresqlServer = request.getfixturevalue("postgresql")
    return server.make_database(next(database_names))


@pytest.fixture
def database(state_dsn: str) -> Iterator[StateDatabase]:
    """Return an open state database of each kind."""
    opened = open_state(state_dsn)
    yield opened
    opened.close()
