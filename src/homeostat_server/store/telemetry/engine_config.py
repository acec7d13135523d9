"""The embedded engine's configuration: bounds of its caches, memory and pools, and the row filter of each table.

It writes two files and starts nothing. The engine reads the files when the first connection to a folder opens.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from homeostat_server.model.signal import Signal
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.tables import DATABASE
from homeostat_server.store.telemetry.wire import SCHEMAS

SCOPE_SETTING: Final = "log_comment"
"""The engine has no settings of our own making in its embedded form; this one is free text and changes nothing."""

ENGINE_SCOPE: Final = "/engine"
"""What our own writing sessions set: they see all rows. No tenant can have a name with a slash."""

ROW_FILTER: Final = f"tenant = getSetting('{SCOPE_SETTING}') OR getSetting('{SCOPE_SETTING}') = '{ENGINE_SCOPE}'"
"""A session that sets nothing sees nothing."""

READER_ROLE: Final = "reader"
"""What a reading session may touch: SELECT on the catalogue's tables."""

WRITER_ROLE: Final = "writer"
"""What our own sessions may do besides: everything."""

DICTIONARY_VALUES_MAX: Final = 512
"""Values in one dictionary of a LowCardinality column; a further one begins a new dictionary.

A merge and a look-up hold whole dictionaries: with the default of 8,192, prompts of 160 KB as attributes made a merge
take 3 GB and a look-up 1.2 s, with 512 they take 1.3 GB and 66 ms (plain strings: 1.1 GB, 6 ms). It has to be in the
profile, as merges know no session.
"""

MEBIBYTE: Final = 1024 * 1024

MEMORY_SHARE: Final = 0.5
"""Of what the process may use; the other half is Python's, the page cache's and the engine's own code."""

MEMORY_BYTES_MIN: Final = 256 * MEBIBYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineBounds:
    """Hold what the engine may take of the machine."""

    memory_bytes: int
    threads: int

    @property
    def cache_bytes(self) -> int:
        """Return the size of each of the larger caches: a thirty-second of the memory, from 8 to 256 MiB."""
        return min(max(self.memory_bytes // 32, 8 * MEBIBYTE), 256 * MEBIBYTE)


READ_NICENESS: Final = 1  # zero would say nothing: a thread that had served an insert would stay as it was
INSERT_NICENESS: Final = 10
MERGE_NICENESS: Final = 10
"""Of the threads that read, insert and merge, on Linux's scale. At 100,000 spans/s on two cores 95 % of trace look-ups
then take less than 73 ms; 115 ms when all threads are equal (measured)."""


def derive_bounds(*, memory_bytes: int, cpus: float, engine_memory_bytes_max: int = 0) -> EngineBounds:
    """Return the bounds for a process that may use so much memory and so many CPUs."""
    derived = max(int(memory_bytes * MEMORY_SHARE), MEMORY_BYTES_MIN)
    return EngineBounds(memory_bytes=engine_memory_bytes_max or derived, threads=max(2, round(cpus)))


def write_engine_config(folder: Path, bounds: EngineBounds) -> Path:
    """Write the configuration into a folder and return the file to open the engine with."""
    folder.mkdir(parents=True, exist_ok=True)
    for signal, schema in SCHEMAS.items():
        _write(schema_file(folder, signal), schema)
    users = folder / "users.xml"
    _write(users, _users())
    config = folder / "config.xml"
    _write(config, _config(users, bounds))
    return config


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all, and only if it changes: a full disk must not keep a folder from opening."""
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def schema_file(folder: Path, signal: Signal) -> Path:
    """Return where the wire schema of a signal lies: given inline, the engine leaves copies in the working folder."""
    return folder / f"otlp_{signal}.proto"


def _users() -> str:
    filters = "".join(f"<{table.name}><filter>{escape(ROW_FILTER)}</filter></{table.name}>" for table in CATALOGUE)
    return (
        f"<clickhouse><profiles><default><low_cardinality_max_dictionary_size>{DICTIONARY_VALUES_MAX}"
        "</low_cardinality_max_dictionary_size></default></profiles><quotas><default/></quotas><users><default><password/>"
        "<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>"
        f"<grants><query>GRANT {READER_ROLE}, {WRITER_ROLE}</query></grants>"
        f"<databases><{DATABASE}>{filters}</{DATABASE}></databases></default></users>{_roles()}</clickhouse>"
    )


def _roles() -> str:
    """Return what each role may do; the embedded engine has one user, so a session chooses by `SET ROLE`."""
    readable = "".join(f"<query>GRANT SELECT ON {DATABASE}.{table.name}</query>" for table in CATALOGUE)
    return (
        f"<roles><{READER_ROLE}><grants>{readable}</grants></{READER_ROLE}>"
        f"<{WRITER_ROLE}><grants><query>GRANT ALL ON *.*</query></grants></{WRITER_ROLE}></roles>"
    )


def _config(users: Path, bounds: EngineBounds) -> str:
    settings = {
        "max_server_memory_usage": bounds.memory_bytes,
        "max_thread_pool_size": 64 + 16 * bounds.threads,
        # The defaults are those of a server that has the machine to itself: 5 GiB of marks, 5 GiB of index.
        "mark_cache_size": bounds.cache_bytes,
        "primary_index_cache_size": bounds.cache_bytes,
        "index_mark_cache_size": bounds.cache_bytes // 4,
        "query_condition_cache_size": bounds.cache_bytes // 4,
        "uncompressed_cache_size": 0,
        "index_uncompressed_cache_size": 0,
        "mmap_cache_size": 64,
        "compiled_expression_cache_size": 4 * MEBIBYTE,
        # Merges share the cores with inserts and reads: two at once keep up, more only take memory.
        "background_pool_size": bounds.threads,
        "background_merges_mutations_concurrency_ratio": 1,
        # Whoever waits for an answer goes first; without CAP_SYS_NICE the engine leaves all threads equal.
        "os_threads_nice_value_merge_mutate": MERGE_NICENESS,
        "background_schedule_pool_size": 4,
        "background_common_pool_size": 2,
        "background_move_pool_size": 1,
        "background_fetches_pool_size": 1,
        # A replay takes back its rows by a mutation, and waits for it. One that finds both workers busy is looked at
        # again after so many seconds; by default 10, and replays of a table then take up to 3 s each, now 0.3.
        "background_processing_pool_thread_sleep_seconds": 1,
        "background_processing_pool_thread_sleep_seconds_random_part": 0.05,
        "background_processing_pool_thread_sleep_seconds_if_nothing_to_do": 0.05,
        "background_processing_pool_task_sleep_seconds_when_no_work_min": 0.05,
        "background_processing_pool_task_sleep_seconds_when_no_work_max": 2,
        "background_processing_pool_task_sleep_seconds_when_no_work_random_part": 0.05,
        # Retention drops whole days, however large.
        "max_partition_size_to_drop": 0,
        "max_table_size_to_drop": 0,
    }
    lines = "".join(f"<{name}>{value}</{name}>" for name, value in settings.items())
    path = escape(str(users))
    return (
        f"<clickhouse>{lines}<users_config>{path}</users_config><user_directories><users_xml><path>{path}</path></users_xml>"
        "</user_directories></clickhouse>"
    )
