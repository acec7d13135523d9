from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Protocol

import pytest

from homeostat_server.store.ports import QueryLimits, RetentionDays
from homeostat_server.store.telemetry.embedded import EmbeddedStore
from homeostat_server.store.telemetry.engine_config import EngineBounds, write_engine_config

MEBIBYTE: Final = 1024 * 1024
LIMITS: Final = QueryLimits(
    duration_s=20, rows_max=50_000, result_bytes_max=64 * MEBIBYTE, memory_bytes_max=256 * MEBIBYTE
)
# Tests live at a fixed moment of the past; their rows must not be over their time at once.
RETENTION: Final = RetentionDays(ordinary=3_650, valued=3_660)
BOUNDS: Final = EngineBounds(memory_bytes=1024 * MEBIBYTE, threads=2)


def open_store(
    folder: Path,
    *,
    retention: RetentionDays = RETENTION,
    configure: Callable[[Path, EngineBounds], Path] = write_engine_config,
) -> EmbeddedStore:
    """Open a store on the embedded engine."""
    return EmbeddedStore(folder, bounds=BOUNDS, limits=LIMITS, readers_max=4, retention=retention, configure=configure)


class OpenStore(Protocol):
    """Open a store in the test's folder."""

    def __call__(
        self,
        folder: Path | None = None,
        *,
        retention: RetentionDays = RETENTION,
        configure: Callable[[Path, EngineBounds], Path] = write_engine_config,
    ) -> EmbeddedStore:
        """Open it."""
        ...


@pytest.fixture
def opening(tmp_path: Path) -> Iterator[OpenStore]:
    """Open stores of the test's own; the engine opens one folder at a time. All are closed at the end."""
    opened: list[EmbeddedStore] = []

    def open_one(
        folder: Path | None = None,
        *,
        retention: RetentionDays = RETENTION,
        configure: Callable[[Path, EngineBounds], Path] = write_engine_config,
    ) -> EmbeddedStore:
        opened.append(open_store(folder or tmp_path / "telemetry", retention=retention, configure=configure))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
