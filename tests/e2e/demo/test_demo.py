import fcntl
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import pytest

from demo.children import ROOT
from tests.waiting import until

# One at a time: a demo is five processes, and the machine may have two cores.
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("demo")]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")


@dataclass(frozen=True, slots=True)
class Demo:
    """Hold a running demo and the file that it writes to."""

    process: psutil.Popen
    output: Path

    def said(self) -> str:
        """Return what it has said."""
        return self.output.read_text(encoding="utf-8")

    def wait_for(self, text: str) -> None:
        """Wait until it has said this, or has ended."""
        until(
            lambda: text in self.said() or self.process.poll() is not None,
            timeout_s=120,
            what=f"the demo says {text!r}",
        )
        assert text in self.said()

    def children(self) -> list[psutil.Process]:
        """Return its processes: the platform and the services that have been started."""
        return list(self.process.children(recursive=True))

    def exit_code(self) -> int:
        """Wait for its end."""
        return int(self.process.wait(timeout=120))


@contextmanager
def running(tmp_path: Path, *arguments: str) -> Iterator[Demo]:
    """Run a demo with its folder under `tmp_path`, and end it if the test did not."""
    output = tmp_path / "output"
    folder = tmp_path / "temporary"
    folder.mkdir()
    environment = {**os.environ, "TMPDIR": str(folder)}
    with output.open("wb") as written:
        process = psutil.Popen(
            [sys.executable, "-m", "demo", *arguments],
            cwd=ROOT,
            env=environment,
            stdout=written,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield Demo(process, output)
    finally:
        with suppress(psutil.NoSuchProcess):
            process.kill()
        process.wait(timeout=30)


def assert_gone(processes: Sequence[psutil.Process]) -> None:
    """Fail when one of these goes on."""
    _, alive = psutil.wait_procs(processes, timeout=60)
    assert alive == []


def left_behind(tmp_path: Path) -> list[str]:
    """Return the folders of a demo that are still there."""
    return [path.name for path in (tmp_path / "temporary").glob("homeostat-demo-*")]


@pytest.fixture(autouse=True)
def _alone() -> Iterator[None]:
    """Let one demo run at a time, whichever worker runs it: each takes the usual ports when they are free."""
    with (Path(tempfile.gettempdir()) / "homeostat-demo-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def test_a_demo_with_a_duration_shows_everything_and_proves_it(tmp_path: Path) -> None:
    """It ends by itself with 0, its commands work as printed, and nothing is left."""
    with running(tmp_path, "--duration", "6") as demo:
        demo.wait_for("It stops by itself")
        children = demo.children()
        urls = re.findall(r"curl '([^']+)'", demo.said())
        assert len(urls) == 9
        assert {url: httpx.get(url, trust_env=False).status_code for url in urls} == dict.fromkeys(urls, 200)
        assert demo.exit_code() == 0, demo.said()
    assert "Everything is there." in demo.said()
    assert re.search(r"^ +[1-9][\d,]* spans, 0 refused$", demo.said(), flags=re.MULTILINE)
    assert re.search(r"^ +[1-9][\d,]* log records, 0 refused$", demo.said(), flags=re.MULTILINE)
    assert re.search(r"^ +[1-9][\d,]* metric points, 0 refused$", demo.said(), flags=re.MULTILINE)
    assert "Traceback" not in demo.said()
    assert_gone(children)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_demo_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    """Exit code 0, no traceback, no process, no folder."""
    with running(tmp_path) as demo:
        demo.wait_for("Ctrl-C stops it.")
        children = demo.children()
        demo.process.send_signal(number)
        assert demo.exit_code() == 0, demo.said()
    assert demo.said().endswith("Stopped.\n")
    assert "Traceback" not in demo.said()
    assert_gone(children)
    assert left_behind(tmp_path) == []


def test_a_signal_while_starting_stops_it_too(tmp_path: Path) -> None:
    """Whoever changes their mind is not made to wait."""
    with running(tmp_path) as demo:
        demo.wait_for("Starting the platform")
        until(demo.children, what="the platform")
        children = demo.children()
        demo.process.send_signal(signal.SIGINT)
        assert demo.exit_code() == 0, demo.said()
    assert "Traceback" not in demo.said()
    assert_gone(children)
    assert left_behind(tmp_path) == []


@LINUX
def test_a_demo_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    """SIGKILL leaves its folder, but nothing that runs."""
    with running(tmp_path) as demo:
        demo.wait_for("traffic")
        children = demo.children()
        demo.process.kill()
        demo.exit_code()
    assert_gone(children)


def test_a_service_that_breaks_is_named(tmp_path: Path) -> None:
    """Its exit code and its last words are told, the demo fails, and the others are stopped."""
    with running(tmp_path, "--duration", "60", "--break", "pricing") as demo:
        demo.wait_for("traffic")
        children = demo.children()
        assert demo.exit_code() == 1, demo.said()
    assert "pricing ended with exit code 70." in demo.said()
    assert "pricing breaks on purpose" in demo.said()
    assert_gone(children)


def test_on_ports_that_are_in_use_it_takes_others_and_says_so(tmp_path: Path) -> None:
    """Somebody else's collector is no obstacle; and `--keep` keeps the data and says where."""
    with socket.socket() as other:
        with suppress(OSError):  # in use already: just as well
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", 4317))
            other.listen()
        with running(tmp_path, "--duration", "2", "--keep") as demo:
            assert demo.exit_code() == 0, demo.said()
    assert "Port 4318 or 4317 is in use, so the platform listens on free ones." in demo.said()
    assert "http://127.0.0.1:4318" not in demo.said()
    [folder] = left_behind(tmp_path)
    assert f"homeostat up --data {tmp_path / 'temporary' / folder / 'data'}" in demo.said()
    assert (tmp_path / "temporary" / folder / "data" / "telemetry").is_dir()
