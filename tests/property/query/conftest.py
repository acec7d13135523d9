from collections.abc import Iterator

import pytest

from tests.telemetry_store import FilledStore, filled_store


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store; each example takes a tenant of its own."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store
