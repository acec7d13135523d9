from collections.abc import Iterator, Sequence

import pytest

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.window import Window
from homeostat_server.store.ports import TelemetryReader
from tests.telemetry_store import FilledStore, filled_store
from tests.unit.query.traceql.world import WINDOW_NS, WORLD, Known, request


class StoredWorld:
    """Hold a store that has known spans. It is no dataclass: in a report of Hypothesis it shall be one word."""

    def __init__(self, reader: TelemetryReader, tenant: Tenant, spans: Sequence[Known]) -> None:
        """Say where which spans are."""
        self.reader = reader
        self.tenant = tenant
        self.spans = spans
        self.window = Window(*WINDOW_NS)


def stored(filled: FilledStore, spans: Sequence[Known]) -> StoredWorld:
    """Put spans into a store, under a tenant of their own."""
    tenant = filled.new_tenant()
    filled.insert(tenant, *(request(span) for span in spans))
    return StoredWorld(filled.store, tenant, spans)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store


@pytest.fixture(scope="module")
def world(filled: FilledStore) -> StoredWorld:
    """Return a store that has the spans of `world.py`."""
    return stored(filled, WORLD)
