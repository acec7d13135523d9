import mmap
import sys
from collections.abc import Mapping as Counts
from pathlib import Path

import pytest

from homeostat_server.runtime.pages import LIBRARY_BYTES_MIN, LibraryPages, Mapping, unwritten_mappings

ADDRESS = 0x7F0000000000
NONE: Counts[str, int] = {}


def entry(
    *, size_bytes: int = LIBRARY_BYTES_MIN, rights: str = "r-xp", inode: int = 7, written: Counts[str, int] = NONE
) -> list[str]:
    """Return the lines of /proc/self/smaps about one mapping; `written` are counts in kB by name."""
    counts = {"Rss": 900, "Private_Dirty": 12, "Anonymous": 0, "Swap": 0} | dict(written)
    return [
        f"{ADDRESS:x}-{ADDRESS + size_bytes:x} {rights} 00001000 fe:00 {inode}      /lib/engine.so\n",
        *(f"{name + ':':<16}{count:>8} kB\n" for name, count in counts.items()),
        "VmFlags: rd ex mr mw me sd \n",
    ]


@pytest.mark.parametrize("rights", ["r-xp", "r--p"])
def test_a_large_mapping_that_nothing_wrote_to_is_found(rights: str) -> None:
    """Code and constant tables of a library are as they are in its file."""
    assert unwritten_mappings(entry(rights=rights)) == [Mapping(ADDRESS, LIBRARY_BYTES_MIN)]


@pytest.mark.parametrize("name", ["Anonymous", "Swap"])
def test_what_was_written_to_is_left_alone(name: str) -> None:
    """One page that exists in memory or swap only keeps its whole mapping."""
    assert unwritten_mappings(entry(written={name: 4})) == []


def test_what_can_be_written_to_or_is_no_file_or_small_is_left_alone() -> None:
    """Only mappings of which nothing can be lost, and from which something can be gained, are taken."""
    assert unwritten_mappings(entry(rights="rw-p")) == []
    assert unwritten_mappings(entry(rights="rwxp")) == []
    assert unwritten_mappings(entry(inode=0)) == []
    assert unwritten_mappings(entry(size_bytes=LIBRARY_BYTES_MIN - 4096)) == []


def test_one_that_was_written_to_does_not_hide_its_neighbours() -> None:
    """Counts belong to the mapping above them."""
    lines = [*entry(), *entry(written={"Anonymous": 8}), *entry(size_bytes=2 * LIBRARY_BYTES_MIN)]
    sizes = [mapping.size_bytes for mapping in unwritten_mappings(lines)]
    assert sizes == [LIBRARY_BYTES_MIN, 2 * LIBRARY_BYTES_MIN]


def test_where_the_system_does_not_tell_nothing_is_unmapped(tmp_path: Path) -> None:
    """Another operating system has no /proc."""
    assert LibraryPages(tmp_path / "smaps").unmap() == 0


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is mapped")
def test_what_was_unmapped_is_there_when_it_is_used_again(tmp_path: Path) -> None:
    """A mapped file leaves resident memory, and reads the same afterwards."""
    path = tmp_path / "library"
    path.write_bytes(bytes(range(256)) * (LIBRARY_BYTES_MIN // 256))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ) as mapped:
        before = bytes(mapped)
        assert resident_kb(path) >= LIBRARY_BYTES_MIN // 1024
        assert LibraryPages().unmap() > 0
        assert resident_kb(path) == 0
        assert bytes(mapped) == before


def resident_kb(path: Path) -> int:
    """Return how much of a mapped file is resident."""
    lines = iter(Path("/proc/self/smaps").read_text(encoding="utf-8").splitlines())
    for line in lines:
        if line.endswith(str(path)):
            return next(int(count.split()[1]) for count in lines if count.startswith("Rss:"))
    return 0
