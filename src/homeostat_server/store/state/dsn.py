"""Which database a DSN names. It opens nothing.

The small state lives in SQLite (`sqlite:///path`, the default) or in PostgreSQL (`postgresql://user:password@host/name`).
"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from homeostat_server.exceptions import SettingInvalid

SQLITE_FILE_NAME: Final = "state.sqlite"
_FORMS: Final = "Use sqlite:////folder/state.sqlite or postgresql://user:password@host:5432/database."
# What people write for PostgreSQL, each with the one driver that is tested.
_DRIVERS: Final = {
    "sqlite": "sqlite+pysqlite",
    "sqlite+pysqlite": "sqlite+pysqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


def default_state_dsn(data: Path) -> str:
    """Return the DSN of the SQLite file in a data folder."""
    return URL.create("sqlite", database=str(data.absolute() / SQLITE_FILE_NAME)).render_as_string(hide_password=False)


def _is_installed(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def parse_state_dsn(text: str, *, is_installed: Callable[[str], bool] = _is_installed) -> URL:
    """Return the database's address with the driver filled in.

    Raises:
        SettingInvalid: not a URL, another database than the two, an SQLite address without a file, or no driver.
    """
    try:
        url = make_url(text)
    except ArgumentError:
        # The text may hold a password and cannot be taken apart, so it is not repeated.
        raise SettingInvalid("read the state DSN", hint=_FORMS) from None
    driver = _DRIVERS.get(url.drivername)
    if driver is None:
        raise SettingInvalid("use this database for the state", value=url.drivername, hint=_FORMS)
    if driver.startswith("sqlite") and url.database in {None, "", ":memory:"}:
        raise SettingInvalid("use an SQLite database without a file", value=text, hint=_FORMS)
    if driver.startswith("postgresql") and not is_installed("psycopg"):
        hint = "Install it: pip install 'homeostat[server,postgresql]'."
        raise SettingInvalid("find the PostgreSQL driver psycopg", hint=hint)
    return url.set(drivername=driver)


def is_state_there(dsn: str) -> bool:
    """Say whether there can be a database at a DSN: a missing SQLite file would be made by opening it.

    Raises:
        SettingInvalid: the DSN names no database that can be used.
    """
    url = parse_state_dsn(dsn)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()
