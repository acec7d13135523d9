"""The embedded store opened as the server opens it. It inserts nothing."""

from pathlib import Path

from homeostat_server.runtime.resources import read_resources
from homeostat_server.runtime.settings import Settings
from homeostat_server.store.ports import QueryLimits, RetentionDays
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import derive_bounds


def open_store(folder: Path) -> EmbeddedStore:
    """Open a folder with the bounds and limits of a server that has no settings."""
    settings = Settings()
    resources = read_resources()
    return EmbeddedStore(
        folder,
        bounds=derive_bounds(memory_bytes=resources.memory_bytes, cpus=resources.cpus),
        limits=QueryLimits(
            duration_s=settings.query_timeout_s,
            rows_max=settings.query_rows_max,
            result_bytes_max=settings.query_result_bytes_max,
            memory_bytes_max=settings.query_memory_bytes_max,
        ),
        readers_max=settings.query_concurrency_max,
        retention=RetentionDays(ordinary=settings.retention_ordinary_days, valued=settings.retention_valued_days),
    )
