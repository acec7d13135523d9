from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.exceptions import SettingInvalid
from homeostat_server.store.state.dsn import default_state_dsn, is_state_there, parse_state_dsn


def test_the_default_is_a_file_in_the_data_folder(tmp_path: Path) -> None:
    """Without a DSN the state lives in SQLite beside the telemetry, wherever the process is started."""
    url = parse_state_dsn(default_state_dsn(tmp_path))
    assert (url.drivername, url.database) == ("sqlite+pysqlite", str(tmp_path / "state.sqlite"))


def test_a_relative_data_folder_becomes_absolute() -> None:
    """The default does not change its meaning when the process changes its folder."""
    assert Path(parse_state_dsn(default_state_dsn(Path("data"))).database or "").is_absolute()


@given(name=st.text(st.characters(codec="utf-8", exclude_characters="\0/", exclude_categories=["C"]), min_size=1))
def test_any_folder_name_survives(name: str) -> None:
    """A folder named with `?`, `%` or a space is the same folder after the DSN."""
    folder = Path("/data") / name
    assert parse_state_dsn(default_state_dsn(folder)).database == str(folder.absolute() / "state.sqlite")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_postgresql_by_any_of_its_names(scheme: str) -> None:
    """All spellings mean the one driver that is tested, and the password stays."""
    url = parse_state_dsn(f"{scheme}://ada:secret@db:5433/homeostat")
    assert (url.drivername, url.password, url.port) == ("postgresql+psycopg", "secret", 5433)


@pytest.mark.parametrize("text", ["mysql://h/d", "postgresql+asyncpg://h/d", "sqlite://", "sqlite:///:memory:", "no"])
def test_other_databases_are_refused(text: str) -> None:
    """What cannot hold the state is refused with the two forms that can."""
    with pytest.raises(SettingInvalid, match=r"sqlite:////folder/state\.sqlite or postgresql://"):
        parse_state_dsn(text)


def test_an_unreadable_dsn_is_not_repeated() -> None:
    """A DSN that cannot be taken apart may hold a password, so the error does not show it."""
    with pytest.raises(SettingInvalid) as caught:
        parse_state_dsn("postgresql:/ada:hunter2@db")
    assert "hunter2" not in str(caught.value)


def test_a_missing_driver_says_what_to_install() -> None:
    """Without the extra, PostgreSQL is refused at start with the command that installs it."""
    with pytest.raises(SettingInvalid, match=r"homeostat\[server,postgresql\]"):
        parse_state_dsn("postgresql://h/d", is_installed=lambda _: False)


def test_whether_there_is_a_state(tmp_path: Path) -> None:
    """A missing SQLite file is no state; a server is asked, not guessed."""
    there = default_state_dsn(tmp_path)
    assert not is_state_there(there)
    (tmp_path / "state.sqlite").touch()
    assert is_state_there(there)
    assert is_state_there("postgresql://h/d")
