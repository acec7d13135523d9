import signal
from collections.abc import Sequence
from pathlib import Path

import pytest

from homeostat_server.model.signal import Signal
from tests.e2e.numbered import trace_id_of
from tests.e2e.senders import Client, Load, clients
from tests.e2e.verdict import examine
from tests.running import running
from tests.waiting import until

pytestmark = pytest.mark.e2e

BUSY = 60  # acknowledged bodies, after which a stop is a stop under load


def acknowledged_bodies(senders: Sequence[Client]) -> int:
    """Return how many bodies were acknowledged so far."""
    return sum(len(numbers) for client in senders for numbers in client.ledger.acknowledged.values())


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGTERM, signal.SIGTERM, signal.SIGINT]])
def test_a_stop_under_load_stores_what_was_acknowledged(tmp_path: Path, signals: list[int]) -> None:
    """It ends with 0, however often it is told; nothing waits, nothing acknowledged is missing."""
    senders = clients(http=2, grpc_clients=2, seed=len(signals))
    with running(tmp_path / "data") as platform:
        load = Load(senders, platform, round_number=0)
        until(lambda: acknowledged_bodies(senders) > BUSY)
        for number in signals:
            platform.ask_to_stop(number)
        assert platform.wait() == 0
        load.join()
    verdict = examine(tmp_path / "data", senders)
    assert verdict.is_clean, verdict
    assert "Traceback" not in platform.log()


def test_what_was_acknowledged_is_read_after_a_restart(tmp_path: Path) -> None:
    """A trace whose spans were acknowledged just before the stop is answered by the next process."""
    senders = clients(http=2, grpc_clients=0, seed=3)
    with running(tmp_path / "data") as platform:
        load = Load(senders, platform, round_number=0)
        until(lambda: acknowledged_bodies(senders) > BUSY)
        platform.ask_to_stop()
        assert platform.wait() == 0
        load.join()
    spans = senders[0].ledger.acknowledged[Signal.TRACES]
    last = max(spans)
    with running(tmp_path / "data") as platform:
        answer = platform.get(f"/api/v1/traces/{trace_id_of(last).hex()}")
        found = sum(len(scope["spans"]) for block in answer.json()["resourceSpans"] for scope in block["scopeSpans"])
    assert (answer.status, found >= spans[last]) == (200, True)
