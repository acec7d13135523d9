import logging
from collections.abc import Iterator

import pytest

from homeostat.propagation import carry_into_threads, stop_carrying_into_threads
from tests.contexts import tenant


@pytest.fixture
def carrying() -> Iterator[None]:
    """Carry contexts into threads during a test."""
    carry_into_threads()
    yield
    stop_carrying_into_threads()


@pytest.fixture
def nothing_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """See that whatever a test did, nothing stays current and nothing was complained about."""
    with caplog.at_level(logging.WARNING):
        yield
    assert tenant() is None
    assert [record.message for record in caplog.records] == []
