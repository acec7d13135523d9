import platform

from homeostat_server.runtime.allocator import keep_freed_memory


def test_glibc_can_be_told_to_keep_memory() -> None:
    """It is said truthfully whether the allocator took the advice; asking twice is fine."""
    assert keep_freed_memory() == keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
