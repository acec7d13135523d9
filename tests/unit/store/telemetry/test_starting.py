import subprocess
import sys
from pathlib import Path

import pytest

from homeostat_server.exceptions import DataFolderLocked, DataFolderUnusable, StartError
from homeostat_server.store.telemetry.engine_config import EngineBounds, derive_bounds, write_engine_config
from tests.unit.store.telemetry.conftest import BOUNDS, MEBIBYTE, OpenStore


def config_that_is_gone(folder: Path, bounds: EngineBounds) -> Path:
    """Write the configuration and lose it."""
    config = write_engine_config(folder, bounds)
    config.unlink()
    return config


def users_that_are_gone(folder: Path, bounds: EngineBounds) -> Path:
    """Write the configuration and lose the file that it names."""
    config = write_engine_config(folder, bounds)
    config.with_name("users.xml").unlink()
    return config


def config_without(table: str, folder: Path, bounds: EngineBounds) -> Path:
    """Write the configuration and leave one table's filter out."""
    config = write_engine_config(folder, bounds)
    users = config.with_name("users.xml")
    text = users.read_text(encoding="utf-8")
    begin, end = text.index(f"<{table}><filter>"), text.index(f"</{table}>") + len(f"</{table}>")
    users.write_text(text[:begin] + text[end:], encoding="utf-8")
    return config


def config_with_an_open_filter(folder: Path, bounds: EngineBounds) -> Path:
    """Write the configuration with no filters at all."""
    config = write_engine_config(folder, bounds)
    users = config.with_name("users.xml")
    text = users.read_text(encoding="utf-8")
    begin, end = text.index("<databases>"), text.index("</databases>") + len("</databases>")
    users.write_text(text[:begin] + text[end:], encoding="utf-8")
    return config


def test_a_lost_configuration_stops_the_start(opening: OpenStore) -> None:
    """The engine goes on without one and says nothing; tenants would see each other's rows."""
    with pytest.raises(DataFolderUnusable, match="row filter"):
        opening(configure=config_that_is_gone)
    assert opening().statistics().memory_bytes > 0


def test_lost_users_stop_the_start(opening: OpenStore) -> None:
    """Filters and grants are in a file of their own."""
    with pytest.raises(StartError):
        opening(configure=users_that_are_gone)
    assert opening().statistics().memory_bytes > 0


def test_missing_filters_stop_the_start(opening: OpenStore) -> None:
    """The error names every table that has none."""
    with pytest.raises(DataFolderUnusable, match=r"spans, trace_bounds, .*exemplars"):
        opening(configure=config_with_an_open_filter)


@pytest.mark.parametrize("table", ["spans", "exemplars", "sources"])
def test_one_table_without_a_filter_stops_the_start(opening: OpenStore, table: str) -> None:
    """It is named, and a start with the whole configuration works after that."""
    with pytest.raises(DataFolderUnusable) as refusal:
        opening(configure=lambda folder, bounds: config_without(table, folder, bounds))
    assert refusal.value.value == table
    assert opening().statistics().memory_bytes > 0


@pytest.mark.parametrize("name", ["{a,b}", "a*", "a?b", "a&b", "a:b", "a\\b"])
def test_a_folder_that_the_engine_would_misread_stops_the_start(opening: OpenStore, tmp_path: Path, name: str) -> None:
    """A path that is a pattern or a list to the engine is refused before anything is written to another place."""
    with pytest.raises(DataFolderUnusable, match="--data"):
        opening(tmp_path / name / "telemetry")
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize("name", ["a b", "é", "it's", "100%", "[1]", "a#b", "a;b", "a<b"])
def test_a_folder_may_have_any_other_name(opening: OpenStore, tmp_path: Path, name: str) -> None:
    """Names are escaped where they go."""
    opening(tmp_path / name / "telemetry")
    assert (tmp_path / name / "telemetry" / "store").is_dir()


OTHER_PROCESS = """
import sys
from pathlib import Path
from homeostat_server.exceptions import HomeostatError
from tests.unit.store.telemetry.conftest import open_store
try:
    store = open_store(Path(sys.argv[1]))
except HomeostatError as error:
    print(error.code)
else:
    print("open", flush=True)
    sys.stdin.readline()
    store.close()
"""


def other_process(folder: Path) -> "subprocess.Popen[str]":
    """Start a process that opens the folder and holds it until it is told to go."""
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS, str(folder)],
        cwd=Path(__file__).parents[4],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def first_line(process: "subprocess.Popen[str]") -> str:
    """Return the first line that a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_a_second_process_is_told_that_the_folder_is_taken(opening: OpenStore, tmp_path: Path) -> None:
    """Whoever comes second says so, gives up, and works once the first has gone, even when that was killed."""
    folder = tmp_path / "telemetry"
    store = opening(folder)
    with other_process(folder) as second:
        assert first_line(second) == "data_folder_locked"
    store.close()
    with other_process(folder) as other:
        assert first_line(other) == "open"
        with pytest.raises(DataFolderLocked):
            opening(folder)
        other.kill()
    assert opening(folder).statistics().memory_bytes > 0


def test_one_process_opens_one_folder(opening: OpenStore, tmp_path: Path) -> None:
    """The engine serves one at a time, and the error says which."""
    store = opening(tmp_path / "one")
    with pytest.raises(DataFolderUnusable, match="one"):
        opening(tmp_path / "other")
    store.close()
    opening(tmp_path / "other")


def test_a_file_in_the_folders_place_stops_the_start(opening: OpenStore, tmp_path: Path) -> None:
    """The error names the path and the cause."""
    (tmp_path / "telemetry").write_text("", encoding="utf-8")
    with pytest.raises(DataFolderUnusable, match=r"telemetry.*exists"):
        opening()


def test_bounds_are_a_share_of_what_the_process_has() -> None:
    """Half of the memory, at least 256 MiB, unless a setting says how much; caches are a part of that."""
    bounds = derive_bounds(memory_bytes=4096 * MEBIBYTE, cpus=3.6)
    assert bounds == EngineBounds(memory_bytes=2048 * MEBIBYTE, threads=4)
    assert bounds.cache_bytes == 64 * MEBIBYTE
    assert derive_bounds(memory_bytes=100 * MEBIBYTE, cpus=0.5) == EngineBounds(memory_bytes=256 * MEBIBYTE, threads=2)
    assert derive_bounds(memory_bytes=1, cpus=1, engine_memory_bytes_max=7).memory_bytes == 7
    assert EngineBounds(memory_bytes=1, threads=1).cache_bytes == 8 * MEBIBYTE
    assert EngineBounds(memory_bytes=2**50, threads=1).cache_bytes == 256 * MEBIBYTE


def test_the_engine_runs_with_the_bounds(opening: OpenStore) -> None:
    """It took them from the configuration."""
    rows = opening()._upkeep.rows(
        "SELECT name, value FROM system.server_settings WHERE name IN"
        " ('max_server_memory_usage', 'mark_cache_size', 'background_pool_size', 'max_table_size_to_drop')",
        {},
    )
    assert {str(row["name"]): row["value"] for row in rows} == {
        "b'max_server_memory_usage'": str(BOUNDS.memory_bytes).encode(),
        "b'mark_cache_size'": str(BOUNDS.cache_bytes).encode(),
        "b'background_pool_size'": b"2",
        "b'max_table_size_to_drop'": b"0",
    }


def test_the_configuration_is_written_only_when_it_changes(tmp_path: Path) -> None:
    """A start on a full disk, or beside a running process, leaves the files alone."""
    config = write_engine_config(tmp_path, BOUNDS)
    before = {path.name: path.stat() for path in tmp_path.iterdir()}
    assert write_engine_config(tmp_path, BOUNDS) == config
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == {
        name: status.st_mtime_ns for name, status in before.items()
    }
    write_engine_config(tmp_path, EngineBounds(memory_bytes=7, threads=2))
    assert "<max_server_memory_usage>7<" in config.read_text(encoding="utf-8")
    assert sorted(before) == sorted(path.name for path in tmp_path.iterdir())
