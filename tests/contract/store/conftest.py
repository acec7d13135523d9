from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final, Protocol

import pytest
from google.protobuf.message import Message

from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import QueryLimits, RetentionDays, TelemetryStore
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import EngineBounds
from tests.segment_files import segment_numbers, write_segment

MEBIBYTE: Final = 1024 * 1024
LIMITS: Final = QueryLimits(
    duration_s=20, rows_max=50_000, result_bytes_max=8 * MEBIBYTE, memory_bytes_max=256 * MEBIBYTE
)
# Tests live at a fixed moment of the past; their rows must not be over their time at once.
RETENTION: Final = RetentionDays(ordinary=3_650, valued=3_660)


DERIVED_KEYS: Final = {"trace_bounds": "trace_id", "sources": "source", "series": "series"}
"""Derived rows may stand there more than once until they are merged; what counts is what they are about."""


class Adapter(Protocol):
    """Open a store of one kind in a folder, again and again the same one."""

    def __call__(
        self,
        folder: Path,
        *,
        limits: QueryLimits = LIMITS,
        readers_max: int = 4,
        retention: RetentionDays = RETENTION,
    ) -> TelemetryStore:
        """Open it."""
        ...


def open_embedded(
    folder: Path, *, limits: QueryLimits = LIMITS, readers_max: int = 4, retention: RetentionDays = RETENTION
) -> TelemetryStore:
    """Open a store on the embedded engine."""
    return EmbeddedStore(
        folder / "telemetry",
        bounds=EngineBounds(memory_bytes=1024 * MEBIBYTE, threads=2),
        limits=limits,
        readers_max=readers_max,
        retention=retention,
    )


# A further adapter needs one more line here; every test of this folder then runs for it too.
ADAPTERS: Final[dict[str, Adapter]] = {"embedded": open_embedded}


class World:
    """An open store and what is sent to it. Give each test a tenant of its own."""

    _tenants = count(1)

    def __init__(self, store: TelemetryStore, folder: Path) -> None:
        """Write segments into a folder."""
        self.store = store
        self.folder = folder
        self.numbers = segment_numbers()

    def tenant(self, name: str = "tenant") -> Tenant:
        """Return a tenant that nobody has used."""
        return Tenant(f"{name}-{next(self._tenants)}")

    def segment(self, tenant: str, *requests: Message) -> SealedSegment:
        """Write requests of one tenant as the next segment."""
        return write_segment(self.folder, [(tenant, request) for request in requests], number=next(self.numbers))

    def insert(self, tenant: str, *requests: Message) -> SealedSegment:
        """Write and store requests of one tenant, and return the segment as it would be replayed."""
        segment = self.segment(tenant, *requests)
        self.store.insert_segment(segment)
        return replace(segment, replay=True)

    def count(self, tenant: Tenant, table: str, condition: str = "1") -> int:
        """Return how many rows a tenant sees in a table, or things where the table is derived."""
        counted = f"uniqExact({DERIVED_KEYS[table]})" if table in DERIVED_KEYS else "count()"
        value = self.store.read(tenant, f"SELECT {counted} AS n FROM telemetry.{table} WHERE {condition}", {})[0]["n"]
        assert isinstance(value, int)
        return value

    def counts(self, tenant: Tenant, *tables: str) -> tuple[int, ...]:
        """Return how many rows a tenant sees in each table."""
        return tuple(self.count(tenant, table) for table in tables)


@pytest.fixture(scope="module", params=sorted(ADAPTERS))
def adapter(request: pytest.FixtureRequest) -> Adapter:
    """Return each kind of store in turn."""
    return ADAPTERS[request.param]


@pytest.fixture(scope="module")
def world(adapter: Adapter, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a store that the tests of a module share; a module uses this or `open_world`, never both."""
    folder = tmp_path_factory.mktemp("store")
    store = adapter(folder)
    yield World(store, folder)
    store.close()


@pytest.fixture
def open_world(adapter: Adapter, tmp_path: Path) -> Iterator[Callable[[], World]]:
    """Open a store of the test's own, as often as it likes, always in one folder."""
    opened: list[TelemetryStore] = []

    def open_one() -> World:
        opened.append(adapter(tmp_path))
        return World(opened[-1], tmp_path)

    yield open_one
    for store in opened:
        store.close()
