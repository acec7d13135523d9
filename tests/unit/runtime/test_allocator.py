import platform

from homeostat_server.runtime.allocator import ENGINE_VARIABLE, bound_engine_memory, keep_freed_memory


def test_glibc_can_be_told_to_keep_memory() -> None:
    """It is said truthfully whether the allocator took the advice; asking twice is fine."""
    assert keep_freed_memory() == keep_freed_memory() == (platform.libc_ver()[0] == "glibc")


def test_the_engine_shares_arenas_unless_the_operator_says_otherwise() -> None:
    """The option is a default: what stands in the environment already stays."""
    empty: dict[str, str] = {}
    bound_engine_memory(empty)
    assert "percpu_arena:disabled" in empty[ENGINE_VARIABLE]
    chosen = {ENGINE_VARIABLE: "narenas:7"}
    bound_engine_memory(chosen)
    assert chosen == {ENGINE_VARIABLE: "narenas:7"}
