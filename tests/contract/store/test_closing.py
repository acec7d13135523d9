from collections.abc import Callable

import pytest

from homeostat_server.exceptions import QueryLimit, StoreUnavailable
from homeostat_server.model.tenant import Tenant
from tests import otlp
from tests.contract.store.conftest import World

ASKER = Tenant("asker")
OpenWorld = Callable[[], World]


def test_rows_are_there_after_closing_and_opening(open_world: OpenWorld) -> None:
    """What an insert returned for is on the disk."""
    first = open_world()
    segment = first.insert(ASKER, otlp.logs(otlp.record()))
    first.store.close()
    second = open_world()
    assert second.count(ASKER, "logs") == 1
    second.store.insert_segment(segment)
    assert second.count(ASKER, "logs") == 1


def test_closing_again_does_nothing(open_world: OpenWorld) -> None:
    """Whoever stops things does not have to know what is stopped."""
    world = open_world()
    world.store.close()
    world.store.close()


@pytest.mark.parametrize("used", [False, True])
def test_a_closed_store_is_unavailable(open_world: OpenWorld, *, used: bool) -> None:
    """Every call says so, as something that may be different later, whether the store was asked before or not."""
    world = open_world()
    segment = world.segment(ASKER, otlp.logs(otlp.record()))
    if used:
        world.count(ASKER, "logs")
    world.store.close()
    calls: list[Callable[[], object]] = [
        lambda: world.store.read(ASKER, "SELECT 1 AS one", {}),
        lambda: world.store.insert_segment(segment),
        world.store.statistics,
        lambda: world.store.drop_expired(0),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable) as refusal:
            call()
        assert refusal.value.retryable


def test_other_stores_open_after_one_is_closed(open_world: OpenWorld) -> None:
    """Nothing of a closed store stays behind in the process."""
    for _ in range(3):
        world = open_world()
        for tenant in ("a", "b", "c"):
            assert world.count(Tenant(tenant), "spans") == 0
        with pytest.raises(QueryLimit):
            world.store.read(ASKER, "SELECT number FROM numbers(1000000)", {})
        world.store.close()
