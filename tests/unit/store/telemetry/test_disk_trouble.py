import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat_server.exceptions import DataFolderUnusable, StoreUnavailable
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.ports import RetentionDays
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.session import FREE_BYTES_MIN
from tests import otlp
from tests.segment_files import segment_numbers, write_segment
from tests.unit.store.telemetry.conftest import MEBIBYTE, RETENTION, OpenStore

TENANT = Tenant("tenant")


class SmallDisk:
    """A disk of its own that is easily filled."""

    def __init__(self, root: Path) -> None:
        """Use what is mounted there."""
        self.root = root
        self.folder = root / "telemetry"
        self._ballast = root / "ballast"

    def fill(self, *, free_bytes: int = 0) -> None:
        """Leave so much room and no more."""
        with self._ballast.open("ab") as ballast:
            size = max(0, shutil.disk_usage(self.root).free - free_bytes)
            os.posix_fallocate(ballast.fileno(), 0, self._ballast.stat().st_size + size)

    def free(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)

    def remount(self, mode: str) -> None:
        """Make it `ro` or `rw`."""
        subprocess.run(["mount", "-o", f"remount,{mode}", str(self.root)], check=True)  # noqa: S607 - wherever it is


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    """Mount a small disk; skip where that is not allowed."""
    root = tmp_path / "disk"
    root.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={FREE_BYTES_MIN * 3}", "tmpfs", str(root)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("a disk to fill can be mounted by root only")
    yield SmallDisk(root)
    subprocess.run(["umount", "--lazy", str(root)], check=True)  # noqa: S607 - wherever it is


@pytest.fixture
def segments(tmp_path: Path) -> Iterator[SealedSegment]:
    """Yield segments that lie on another disk."""
    return (
        write_segment(tmp_path, [(TENANT, otlp.logs(otlp.record()))], number=number) for number in segment_numbers()
    )


def logs(store: EmbeddedStore) -> list[dict[str, object]]:
    """Return how many log records there are, of how many segments."""
    return store.read(TENANT, "SELECT count() AS n, uniqExact(segment) AS s FROM telemetry.logs", {})


def test_a_full_disk_is_not_written_to_and_recovers_by_itself(
    opening: OpenStore, disk: SmallDisk, segments: Iterator[SealedSegment]
) -> None:
    """Inserts, replays too, wait with an error that names the cause; questions are answered; then all goes on."""
    store = opening(disk.folder)
    first, second = next(segments), next(segments)
    store.insert_segment(first)
    disk.fill(free_bytes=FREE_BYTES_MIN - MEBIBYTE)
    for segment in (second, replace(first, replay=True), replace(second, replay=True)):
        with pytest.raises(StoreUnavailable, match="is full") as refusal:
            store.insert_segment(segment)
        assert refusal.value.retryable
    assert logs(store) == [{"n": 1, "s": 1}]
    disk.free()
    store.insert_segment(replace(first, replay=True))
    store.insert_segment(second)
    assert logs(store) == [{"n": 2, "s": 2}]


def test_retention_frees_a_full_disk(opening: OpenStore, disk: SmallDisk, segments: Iterator[SealedSegment]) -> None:
    """What no insert may use is room enough to drop what is over its time."""
    store = opening(disk.folder)
    store.insert_segment(next(segments))
    disk.fill(free_bytes=FREE_BYTES_MIN // 2)
    assert store.drop_expired(otlp.NOW_NS // 10**9 + 86_400 * (RETENTION.ordinary + 2)) == 1
    assert logs(store) == [{"n": 0, "s": 0}]


def test_a_store_opens_on_a_full_disk(opening: OpenStore, disk: SmallDisk, segments: Iterator[SealedSegment]) -> None:
    """A start that has nothing to change writes nothing; it answers, and takes rows when there is room."""
    opening(disk.folder).close()
    disk.fill()
    store = opening(disk.folder)
    segment = next(segments)
    with pytest.raises(StoreUnavailable):
        store.insert_segment(segment)
    assert logs(store) == [{"n": 0, "s": 0}]
    disk.free()
    store.insert_segment(segment)
    assert logs(store) == [{"n": 1, "s": 1}]


@pytest.mark.parametrize("free_bytes", [0, FREE_BYTES_MIN - MEBIBYTE])
def test_a_new_folder_on_a_full_disk_stops_the_start(opening: OpenStore, disk: SmallDisk, free_bytes: int) -> None:
    """The error says that there is no room; once there is, the start works."""
    disk.fill(free_bytes=free_bytes)
    with pytest.raises(DataFolderUnusable, match=r"full|No space"):
        opening(disk.folder)
    disk.free()
    assert logs(opening(disk.folder)) == [{"n": 0, "s": 0}]


def test_a_change_of_the_layout_on_a_full_disk_stops_the_start(opening: OpenStore, disk: SmallDisk) -> None:
    """The engine would empty the table's definition and never open again; nothing is tried, nothing is lost."""
    opening(disk.folder).close()
    disk.fill()
    with pytest.raises(DataFolderUnusable, match="full"):
        opening(disk.folder, retention=RetentionDays(ordinary=1, valued=2))
    assert logs(opening(disk.folder)) == [{"n": 0, "s": 0}]


@pytest.mark.parametrize("is_new", [True, False])
def test_a_read_only_disk_stops_the_start(opening: OpenStore, disk: SmallDisk, *, is_new: bool) -> None:
    """The error names the folder; once it can be written, the start works."""
    if not is_new:
        opening(disk.folder).close()
    disk.remount("ro")
    with pytest.raises(DataFolderUnusable, match=str(disk.folder)):
        opening(disk.folder)
    disk.remount("rw")
    assert logs(opening(disk.folder)) == [{"n": 0, "s": 0}]


def test_a_folder_without_rights_stops_the_start(opening: OpenStore, tmp_path: Path) -> None:
    """The error names the cause."""
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (tmp_path / "telemetry").mkdir(mode=0o500)
    with pytest.raises(DataFolderUnusable, match="Permission denied"):
        opening()


def data_file(store: EmbeddedStore) -> Path:
    """Return where the log records lie."""
    path = store._upkeep.rows("SELECT path FROM system.parts WHERE table = 'logs' AND active", {})[0]["path"]
    assert isinstance(path, bytes)
    return Path(path.decode()) / "data.bin"


def test_damaged_rows_are_the_stores_trouble(opening: OpenStore, segments: Iterator[SealedSegment]) -> None:
    """A checksum that fails is no fault of who asked; other tables and later rows are not touched by it."""
    store = opening()
    store.insert_segment(next(segments))
    file = data_file(store)
    good = file.read_bytes()
    store.close()
    file.write_bytes(good[:40] + b"damaged!" + good[48:])
    store = opening()
    with pytest.raises(StoreUnavailable):
        store.read(TENANT, "SELECT * FROM telemetry.logs", {})
    assert store.read(TENANT, "SELECT * FROM telemetry.spans", {}) == []
    store.close()
    file.write_bytes(good)
    assert len(opening().read(TENANT, "SELECT * FROM telemetry.logs", {})) == 1
