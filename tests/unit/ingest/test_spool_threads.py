"""The spool with real threads and a real disk."""

import threading
from pathlib import Path

from homeostat_server.exceptions import SpoolUnavailable
from homeostat_server.ingest.budget import SpoolBudget
from homeostat_server.ingest.disk import AppendFile, Disk, SystemDisk
from homeostat_server.ingest.place import SpoolLimits
from homeostat_server.ingest.segment import SegmentNumbers
from homeostat_server.ingest.spool import Spool
from homeostat_server.model.signal import Signal
from homeostat_server.runtime.clock import SystemClock
from tests.unit.ingest.spool_world import ACME


class _BrokenDisk(SystemDisk):
    """Fail as a mistake of our own does, not as disks do."""

    def create(self, path: Path) -> AppendFile:
        """Fail for the spool's segments only."""
        if path.suffix == ".segment":
            raise RuntimeError("a mistake")
        return super().create(path)


def _spool(folder: Path, *, gather_s: float = 0.001, disk: Disk | None = None) -> Spool:
    clock = SystemClock()
    spool = Spool(
        folder,
        signal=Signal.LOGS,
        disk=disk or SystemDisk(),
        clock=clock,
        numbers=SegmentNumbers(clock=clock),
        budget=SpoolBudget(size_bytes_max=1 << 30),
        limits=SpoolLimits(segment_bytes_max=20_000, gather_s=gather_s, free_bytes_min=0),
    )
    spool.recover()
    spool.start()
    return spool


def test_many_senders_and_one_taker_get_every_record_once(tmp_path: Path) -> None:
    """Eight threads append while one takes and releases; every record comes out once and nothing is left."""
    spool = _spool(tmp_path)
    records = []

    def append(sender: int) -> None:
        for number in range(100):
            spool.append(ACME, b"%d:%d" % (sender, number) * 20).result(timeout=60)

    def take() -> None:
        while (segment := spool.take(timeout_s=60)) is not None:
            records.append(segment.records)
            spool.release(segment)

    senders = [threading.Thread(target=append, args=(sender,)) for sender in range(8)]
    taker = threading.Thread(target=take)
    for thread in [*senders, taker]:
        thread.start()
    for thread in senders:
        thread.join()
    spool.close()
    taker.join()
    assert sum(records) == 800
    assert spool.depth().segments == 0
    assert [path.name for path in (tmp_path / "logs").iterdir()] == ["recent.log"]


def test_a_taker_waits_for_a_request_and_no_longer_than_told(tmp_path: Path) -> None:
    """Waiting ends with the gather time of a segment that comes, or with the time-out."""
    spool = _spool(tmp_path, gather_s=0.0)
    assert spool.take(timeout_s=0.01) is None
    threading.Timer(0.05, lambda: spool.append(ACME, b"body")).start()
    assert spool.take(timeout_s=60) is not None
    spool.close()


def test_nobody_waits_for_a_writer_that_died(tmp_path: Path) -> None:
    """An error of our own in the writer's thread fails what waits, and the spool says that it is not alive."""
    died = threading.Event()
    hook, threading.excepthook = threading.excepthook, lambda _arguments: died.set()
    try:
        spool = _spool(tmp_path, disk=_BrokenDisk())
        future = spool.append(ACME, b"body")
        assert isinstance(future.exception(timeout=60), SpoolUnavailable)
        assert died.wait(60)
    finally:
        threading.excepthook = hook
    assert not spool.alive
    assert spool.depth().pending_bytes == 0
    spool.close()
