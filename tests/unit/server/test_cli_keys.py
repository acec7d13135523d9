import json
import re
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from homeostat_server.exceptions import Unauthenticated
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.keys import KeyRing
from homeostat_server.security.tokens import is_token
from homeostat_server.server.cli import key
from homeostat_server.server.cli_keys import user_name
from homeostat_server.store.state.api_keys import ApiKeyRecords
from homeostat_server.store.state.dsn import default_state_dsn
from homeostat_server.store.state.migration import open_state

_PROMISE_S = 5  # how soon a running server knows of a change


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a data folder that nobody has used."""
    return tmp_path / "data"


def _run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(key, [*arguments, "--data", str(folder)])


def _create(folder: Path, *arguments: str) -> str:
    result = _run(folder, "create", "--tenant", "team", "--scope", "ingest", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_create_prints_the_key_and_nothing_else(folder: Path) -> None:
    """Standard output is the token, so that a shell variable can take it; the words go to standard error."""
    result = _run(folder, "create", "--tenant", "team", "--scope", "ingest", "--scope", "read")
    assert is_token(result.stdout.removesuffix("\n"))
    assert "A key of tenant team (ingest, read). It is shown only now" in result.stderr
    assert "from now on every request needs a key" in result.stderr
    again = _run(folder, "create", "--tenant", "team", "--scope", "read")
    assert "from now on" not in again.stderr


def test_create_as_json(folder: Path) -> None:
    """Programs get all there is to know in one document."""
    document = json.loads(_create(folder, "--json", "--comment", "CI box"))
    assert is_token(document["key"])
    assert document["key"].startswith(document["id"] + "_")
    assert (document["tenant"], document["scopes"], document["comment"]) == ("team", ["ingest"], "CI box")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", document["created_at"])
    assert document["last_used_at"] is document["revoked_at"] is None


def test_list_shows_keys_but_no_secrets(folder: Path) -> None:
    """Each key has a line, the revoked ones last."""
    first, second = _create(folder, "--comment", "first one"), _create(folder)
    _run(folder, "revoke", first)
    result = _run(folder, "list")
    lines = result.output.splitlines()
    assert lines[0].split() == ["KEY", "TENANT", "SCOPES", "CREATED", "LAST", "USED", "REVOKED", "COMMENT"]
    assert lines[1].startswith(second[:19])
    assert lines[2].startswith(first[:19])
    assert lines[2].endswith("first one")
    assert all(token[20:] not in result.output for token in (first, second))


def test_list_as_json(folder: Path) -> None:
    """The list is an array, empty when there is no key."""
    open_state(default_state_dsn(folder)).close()
    assert json.loads(_run(folder, "list", "--json").output) == []
    token = _create(folder)
    (document,) = json.loads(_run(folder, "list", "--json").output)
    assert document["id"] == token[:19]
    assert "key" not in document


def test_revoke_says_what_it_did(folder: Path) -> None:
    """The key is named; when it was the last, that nobody gets in any more is said."""
    first, second = _create(folder), _create(folder)
    result = _run(folder, "revoke", first[:19])
    assert result.stdout == f"Revoked {first[:19]} of tenant team; a running server knows it in 5 seconds.\n"
    assert result.stderr == ""
    last = _run(folder, "revoke", second, "--json")
    assert json.loads(last.stdout)["revoked_at"] is not None
    assert "No active key is left" in last.stderr


@pytest.mark.parametrize("command", [["list"], ["revoke", "hs_0123456789abcdef"]])
def test_a_folder_without_state_is_not_made(folder: Path, command: list[str]) -> None:
    """Looking for keys in the wrong folder is an error that leaves nothing behind."""
    result = _run(folder, *command)
    assert result.exit_code == 2
    assert f"{folder}\n  Name the server's folder with --data" in result.output
    assert not folder.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["create", "--tenant", "a|b", "--scope", "read"], "cannot use a tenant name: a|b"),
        (["create", "--tenant", "a", "--scope", "write"], "'write' is not one of 'ingest', 'read'"),
        (["create", "--tenant", "a"], "Missing option '--scope'"),
        (["create", "--scope", "read"], "Missing option '--tenant'"),
    ],
)
def test_what_is_no_key_is_refused(folder: Path, arguments: list[str], message: str) -> None:
    """A mistake in the arguments is told before anything is made."""
    result = _run(folder, *arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert not folder.exists()


def test_an_unknown_key_cannot_be_revoked(folder: Path) -> None:
    """The error says where to look."""
    _create(folder)
    result = _run(folder, "revoke", "hs_0123456789abcdef")
    assert result.exit_code == 2
    assert "cannot revoke an API key: 0123456789abcdef\n  List them: homeostat key list." in result.output


def test_a_state_elsewhere_is_used(tmp_path: Path, folder: Path) -> None:
    """With a DSN of its own, the state is not looked for in the data folder."""
    _create(folder, "--state", f"sqlite:///{tmp_path}/elsewhere.sqlite")
    with sqlite3.connect(tmp_path / "elsewhere.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM api_keys").fetchone() == (1,)
    connection.close()
    assert not folder.exists()


def test_a_running_server_knows_a_revocation_in_time(folder: Path) -> None:
    """Another process revokes a key of a ring that runs, and the ring refuses the key within the promise."""
    database = open_state(default_state_dsn(folder))
    ring = KeyRing(ApiKeyRecords(database), clock=SystemClock(), telemetry=Telemetry())
    ring.start()
    token = _create(folder)
    known = _wait_until_known(ring, token, is_known=True)
    program = "import sys; from homeostat_server.server.cli import key; key()"
    subprocess.run([sys.executable, "-c", program, "revoke", token, "--data", str(folder)], check=True)
    forgotten = _wait_until_known(ring, token, is_known=False)
    ring.stop()
    database.close()
    assert known
    assert forgotten


def _wait_until_known(ring: KeyRing, token: str, *, is_known: bool) -> bool:
    deadline_s, pause = SystemClock().monotonic_s() + _PROMISE_S, threading.Event()
    while SystemClock().monotonic_s() < deadline_s:
        if _is_known(ring, token) is is_known:
            return True
        pause.wait(0.05)
    return False


def _is_known(ring: KeyRing, token: str) -> bool:
    try:
        ring.authenticate(token)
    except Unauthenticated:
        return False
    return True


def test_a_user_without_a_name_is_nobody() -> None:
    """In a container that runs as a bare number, keys are made all the same."""

    def nameless() -> str:
        raise KeyError

    assert user_name(ask=nameless) is None
    assert user_name(ask=lambda: "ada") == "ada"
