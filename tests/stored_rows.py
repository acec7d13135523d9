"""What a data folder holds when no process runs on it: all tenants' rows, by SQL. It writes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from homeostat_server.store.ports import Row
from homeostat_server.store.telemetry.embedded import ARROW_SETTINGS
from homeostat_server.store.telemetry.engine_config import ENGINE_SCOPE, SCOPE_SETTING
from homeostat_server.store.telemetry.session import Session

POINT_TABLES: Final = ("samples", "histograms", "exponential_histograms", "summaries")


class StoredRows:
    """Answer questions about a data folder."""

    def __init__(self, session: Session) -> None:
        """Ask over a session that sees every tenant."""
        self._session = session

    def rows(self, sql: str) -> list[Row]:
        """Return the rows of an answer."""
        return self._session.rows(sql, {})

    def number(self, sql: str) -> int:
        """Return the one number of an answer."""
        value = next(iter(self.rows(sql)[0].values()))
        assert isinstance(value, int)
        return value


@contextmanager
def stored_rows(data: Path) -> Iterator[StoredRows]:
    """Open the folder of a process that has ended; the engine takes one folder at a time."""
    folder = data / "telemetry"
    session = Session(folder, folder / "config" / "config.xml", {SCOPE_SETTING: ENGINE_SCOPE, **ARROW_SETTINGS})
    try:
        yield StoredRows(session)
    finally:
        session.close()
