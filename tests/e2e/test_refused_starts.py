import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from homeostat_server.model.signal import Signal
from tests.e2e.numbered import numbered_body, tallies
from tests.e2e.unprivileged import as_nobody
from tests.running import HOMEOSTAT, Launch, Platform, launched, running
from tests.stored_rows import stored_rows
from tests.waiting import until

pytestmark = pytest.mark.e2e


def refused(launch: Launch) -> str:
    """Return what a process that cannot start says, once it has ended with 2 and without a traceback."""
    platform = Platform(launch)
    try:
        assert platform.wait() == 2, platform.log()
    finally:
        platform.kill()
    assert "Traceback" not in platform.log()
    return platform.log()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Return a folder that every user can reach: pytest's own are closed to others."""
    folder = Path(tempfile.mkdtemp(prefix="homeostat-test-"))
    folder.chmod(0o755)
    yield folder
    for closed in (folder, folder / "data"):
        if closed.exists():
            closed.chmod(0o755)
    shutil.rmtree(folder)


def test_a_second_process_is_refused_and_the_first_unharmed(tmp_path: Path) -> None:
    """It says whose the folder is; what the first one takes in before and after is stored."""
    data = tmp_path / "data"
    with running(data) as first:
        body = numbered_body(Signal.LOGS, number=1, items=3, service="a")
        assert first.post("logs", body.data).status == 200
        said = refused(Launch(data=tmp_path / "link", settings={"data": data}))
        assert f"cannot use the data folder: {data}\n" in said
        assert f"Process {first.pid} is using it" in said
        body = numbered_body(Signal.LOGS, number=2, items=3, service="a")
        assert first.post("logs", body.data).status == 200
    with stored_rows(data) as stored:
        assert [tally.rows for tally in tallies(stored, Signal.LOGS).values()] == [3, 3]


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, door: str) -> None:
    """The error has the address and the flag that changes it; the folder stays usable."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        said = refused(Launch(data=tmp_path / "data", settings={door: f"127.0.0.1:{port}"}))
    assert f"cannot listen: 127.0.0.1:{port}\n" in said
    assert f"--{door}" in said
    with running(tmp_path / "data"):
        pass


@pytest.mark.parametrize("existing", [True, False], ids=["existing", "new"])
def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, open_folder: Path, *, existing: bool) -> None:
    """The error has the folder, the cause and what to do; nothing in the folder is touched."""
    data = open_folder / "data"
    if existing:
        with running(data):
            pass
        data.chmod(0o555)
    open_folder.chmod(0o555)
    before = sorted(open_folder.rglob("*"))
    with as_nobody(open_folder) as prefix:
        said = refused(Launch(data=tmp_path / "started", settings={"data": data}, prefix=prefix, measured=False))
    assert f"cannot write to the data folder: {data}\n" in said
    assert "Permission denied. Make it writable for this user" in said
    assert sorted(open_folder.rglob("*")) == before


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])  # noqa: S104 - what is to be refused
def test_a_door_to_others_needs_a_key(tmp_path: Path, host: str) -> None:
    """Without a key it refuses to listen beyond loopback and says how to make one; after that it listens."""
    data = tmp_path / "data"
    said = refused(Launch(data=data, settings={"grpc": f"{host}:0"}))
    assert f"cannot listen beyond this machine without an API key: {host.strip('[]')}\n" in said
    command = re.search(r"homeostat (key create .*?)\. Or", said)
    assert command, said
    words = command[1].replace("TENANT", "acme").split()
    subprocess.run([HOMEOSTAT, *words, "--data", data], check=True, capture_output=True)
    with running(data, grpc=f"{host}:0") as platform:
        assert platform.post("logs", b"").status == 401
        assert platform.get("/health").status == 200


def test_a_setting_in_the_environment_is_refused_as_a_flag_is(tmp_path: Path) -> None:
    """A variable with a value that is none ends the start with its name, before anything is opened."""
    environment = {"HOMEOSTAT_SPOOL_BYTES_MAX": "many", "PATH": str(Path(sys.executable).parent)}
    ended = subprocess.run(
        [HOMEOSTAT, "up", "--data", tmp_path / "data"], env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "HOMEOSTAT_SPOOL_BYTES_MAX" in ended.stderr
    assert not (tmp_path / "data").exists()


def _stored_at_once(data: Path, prefix: tuple[str, ...]) -> Launch:
    return Launch(data=data, settings={"spool_gather_ms": 0}, prefix=prefix, measured=False)


def test_a_spool_that_cannot_be_written_is_retried(open_folder: Path) -> None:
    """While the spool's folder is closed to it, senders are told why and to come back; then it goes on by itself."""
    data = open_folder / "data"
    data.mkdir()
    with as_nobody(data) as prefix, launched(_stored_at_once(data, prefix)) as platform:
        bodies = [numbered_body(Signal.LOGS, number=number, items=1, service="a").data for number in (10, 11)]
        assert platform.post("logs", bodies[0]).status == 200
        platform.wait_until_stored()
        spool = data / "spool" / "logs"
        spool.chmod(0o555)
        answer = platform.post("logs", bodies[1])
        assert (answer.status, answer.headers["retry-after"].isdigit()) == (503, True)
        assert b"Permission denied" in answer.body
        spool.chmod(0o755)
        until(lambda: platform.post("logs", bodies[1]).status == 200)
    with stored_rows(data) as stored:
        assert {number: tally.rows for number, tally in tallies(stored, Signal.LOGS).items()} == {10: 1, 11: 1}
