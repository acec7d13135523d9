from collections.abc import Iterator

import pytest

from homeostat.testing.provider import standing_in
from homeostat.tracing.failures import FAILURES
from tests.recorded_spans import Recorder


@pytest.fixture(autouse=True)
def no_failures() -> Iterator[None]:
    """Let each test see the first failure of a place as the first."""
    FAILURES.clear()
    yield
    FAILURES.clear()


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """Return what records the spans that helpers make in this test."""
    recorder = Recorder()
    with standing_in(recorder):
        yield recorder
