"""The fixture in the tests of a service, in a pytest of their own: whatever they configure, nothing is sent."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.receiver import receiving
from tests.served import environment

pytestmark = pytest.mark.e2e

TESTS = """
import asyncio

import homeostat
from opentelemetry import trace

LIBRARY = trace.get_tracer("library")


def test_before_anything_is_configured(capture):
    with LIBRARY.start_as_current_span("library"), homeostat.span("ours", tenant="acme"):
        pass
    capture.assert_span("ours", parent="library", attributes={"tenant.id": "acme"})


def test_configured_in_the_test(capture):
    handle = homeostat.configure("orders-api", environment="production", sampling_ratio=0.0)
    assert handle.is_active
    with LIBRARY.start_as_current_span("library"), homeostat.span("ours"):
        pass
    assert capture.spans.names == ["ours", "library"]
    assert capture.spans.one("ours").service == "orders-api"


async def test_configured_before(capture):
    async def work(name):
        async with homeostat.span(name):
            await asyncio.sleep(0)

    with LIBRARY.start_as_current_span("library"):
        await asyncio.gather(work("a"), work("b"))
    assert sorted(capture.spans.names) == ["a", "b", "library"]
    capture.assert_span("a", parent="library")


def test_without_the_fixture():
    with homeostat.span("sent"):
        raise_caught()


@homeostat.traced
def raise_caught():
    homeostat.record_error("kept_for_its_own_sake")
"""


def test_tests_of_a_service_send_nothing_that_they_capture(tmp_path: Path) -> None:
    """Unconfigured, configured within a test, and before; what a test makes without the fixture is sent."""
    (tmp_path / "test_service.py").write_text(TESTS)
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-n0"]
    with receiving() as receiver:
        told = environment(HOMEOSTAT_ENDPOINT=receiver.url, HOMEOSTAT_BUFFER_FOLDER=str(tmp_path / "buffer"))
        done = subprocess.run(words, cwd=tmp_path, env=told, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        [sent] = receiver.wait_for(1)
    assert sent.name == "raise_caught"
    assert sent.span.trace_state == "ot=th:0"
