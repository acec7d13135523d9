from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import pytest
from google.protobuf.message import Message

from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import QueryLimits, RetentionDays, TelemetryStore
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import EngineBounds
from tests.property.store.stored_model import Canonical, stored_source
from tests.segment_files import segment_numbers, write_segment

MEBIBYTE: Final = 1024 * 1024
LIMITS: Final = QueryLimits(
    duration_s=30, rows_max=1_000_000, result_bytes_max=256 * MEBIBYTE, memory_bytes_max=512 * MEBIBYTE
)


class Example:
    """One example: a tenant of its own, and what was stored for it."""

    def __init__(self, store: TelemetryStore, tenant: Tenant) -> None:
        """Ask a store for a tenant."""
        self._store = store
        self._tenant = tenant

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of an answer."""
        return self._store.read(self._tenant, sql, {})

    def sources(self) -> dict[int, Canonical]:
        """Return what each source says, by its number."""
        return {row["source"]: stored_source(row) for row in self.rows("SELECT * FROM telemetry.sources")}


class Engine:
    """A store for many examples."""

    def __init__(self, store: TelemetryStore, folder: Path) -> None:
        """Write segments into a folder."""
        self.store = store
        self._folder = folder
        self._tenants = count()
        self.numbers = segment_numbers()

    def stored(self, *requests: Message) -> Example:
        """Store requests as one segment of a tenant of their own."""
        tenant = Tenant(f"example-{next(self._tenants)}")
        number = next(self.numbers)
        segment = write_segment(self._folder, [(tenant, request) for request in requests], number=number)
        self.store.insert_segment(segment)
        segment.path.unlink()
        return Example(self.store, tenant)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Return a real store that all examples of a module share."""
    folder = tmp_path_factory.mktemp("store")
    store = EmbeddedStore(
        folder / "telemetry",
        bounds=EngineBounds(memory_bytes=1024 * MEBIBYTE, threads=2),
        limits=LIMITS,
        readers_max=2,
        retention=RetentionDays(ordinary=3_650, valued=3_650),
    )
    yield Engine(store, folder)
    store.close()
