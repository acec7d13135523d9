"""The pytest plugin: the fixture `capture`. Every pytest run beside the package loads it, so it imports nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from homeostat.testing.capture import Capture


@pytest.fixture
def capture() -> "Iterator[Capture]":
    """Return what captures the telemetry of a test: `capture.assert_span("price", status="ok")`."""
    from homeostat.testing.capture import capturing  # noqa: PLC0415 - a run without it does not pay for it

    with capturing() as captured:
        yield captured
