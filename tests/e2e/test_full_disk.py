import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from homeostat_server.model.signal import Signal
from tests.e2e.numbered import numbered_body
from tests.e2e.senders import Client, GrpcDoor, Load, Told, clients
from tests.e2e.verdict import examine
from tests.running import Platform, running
from tests.waiting import until

pytestmark = pytest.mark.e2e

SIZE_BYTES = 256 << 20
BUSY = 60  # acknowledged bodies that make a load


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a file system of its own; skips where none can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={SIZE_BYTES}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mounting, check=False, capture_output=True).returncode:
        pytest.skip("a small file system can only be mounted by root")
    yield folder
    subprocess.run([shutil.which("umount") or "umount", "--lazy", folder], check=True)


def acknowledged_bodies(senders: Sequence[Client]) -> int:
    """Return how many bodies were acknowledged so far."""
    return sum(len(numbers) for client in senders for numbers in client.ledger.acknowledged.values())


def fill(disk: Path) -> Path:
    """Take all the space that is left, and return the file that has it."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        size = 1 << 20
        while size:
            try:
                file.write(bytes(size))
            except OSError:
                size //= 2
    return filler


def assert_told_why(platform: Platform) -> None:
    """Look at what senders and probes are told: the cause, and when to come back."""
    body = numbered_body(Signal.LOGS, number=1 << 40, items=1, service="refused").data
    answer = platform.post("logs", body)
    assert (answer.status, answer.headers["content-type"]) == (503, "application/x-protobuf")
    assert answer.headers["retry-after"].isdigit()
    assert b"No space left on device: free space on that disk" in answer.body
    door = GrpcDoor(platform)
    assert door.send(Signal.LOGS, body) is Told.REFUSED
    door.close()
    health = platform.get("/health")
    assert (health.status, health.json()["status"]) == (503, "down")
    assert "No space left on device" in health.json()["checks"]["spool"]["error"]
    assert platform.get("/health/readiness").json()["failing"] == ["spool"]
    assert platform.get("/health/liveness").status == 200
    assert platform.metric('homeostat_spool_requests_total{event="write_failed",signal="logs"}') > 0


@pytest.mark.parametrize("full", ["nearly", "wholly"])
def test_a_full_disk_refuses_and_goes_on_by_itself(small_disk: Path, full: str) -> None:
    """Under load the disk fills: senders are told why, nothing acknowledged is lost, and space is all that it needs."""
    data = small_disk / "data"
    senders = clients(http=2, grpc_clients=1, seed=7)
    with running(data) as platform:
        load = Load(senders, platform, round_number=0)
        until(lambda: acknowledged_bodies(senders) > BUSY)
        filler = fill(small_disk)
        if full == "nearly":
            os.truncate(filler, filler.stat().st_size - (32 << 20))
        until(lambda: platform.get("/health").status == 503)
        assert_told_why(platform)
        filler.unlink()
        before = acknowledged_bodies(senders)
        until(lambda: acknowledged_bodies(senders) > before + BUSY)
        load.is_enough()
        load.join()
        for client in senders:
            client.settle(platform)
        platform.wait_until_stored()
        until(lambda: platform.get("/health").json()["status"] == "ok")
        assert platform.stop() == 0
    verdict = examine(data, senders)
    assert verdict.is_clean, verdict
