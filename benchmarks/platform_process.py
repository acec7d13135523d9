"""A real `homeostat up`, started and stopped for a measurement. It sends nothing to it."""

import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from benchmarks import processes

_READY: Final = re.compile(r"is ready after .*?: https?://127\.0\.0\.1:(\d+) .*gRPC on 127\.0\.0\.1:(\d+)")
_COMMAND: Final = (sys.executable, "-c", "from homeostat.cli import main; main()", "up")
_STOP_S: Final = 180.0
_POLL_S: Final = 0.05


class StartFailedError(RuntimeError):
    """Report a platform that ended before it was ready."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Hold a running platform."""

    process: subprocess.Popen[str]
    data: Path
    http_port: int
    grpc_port: int
    ready_s: float

    @property
    def pid(self) -> int:
        """Return the number of its process."""
        return self.process.pid

    def waiting_segments(self) -> int:
        """Return how many spool segments are not stored yet."""
        return sum(1 for _ in (self.data / "spool").glob("*/*.segment"))

    def waiting_bytes(self) -> int:
        """Return how much acknowledged data is not stored yet."""
        total = 0
        for path in (self.data / "spool").glob("*/*.segment"):
            try:
                total += path.stat().st_size
            except FileNotFoundError:
                continue  # stored in this moment
        return total

    def wait_until_stored(self, *, timeout_s: float = 300.0) -> float:
        """Wait until nothing acknowledged is waiting and return how many seconds that took.

        Raises:
            TimeoutError: there is still something.
        """
        began_s = time.monotonic()
        while self.waiting_segments():
            if time.monotonic() - began_s > timeout_s:
                raise TimeoutError(f"{self.waiting_segments()} segments are not stored after {timeout_s:g} s")
            time.sleep(_POLL_S)
        return time.monotonic() - began_s

    def wait_until_quiet(self) -> float:
        """Wait until its merges are done as well and return its CPU seconds since its start."""
        return processes.wait_until_quiet(self.pid)

    def stop(self) -> None:
        """Ask it to stop, and wait for that."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Say how to start it.

    Attributes:
        settings: settings by name.
        under: where its data folder is made and removed again.
        data: a folder that is there and stays.
    """

    settings: Mapping[str, str] = field(default_factory=dict)
    under: Path | None = None
    data: Path | None = None


@contextmanager
def running(setup: Setup | None = None) -> Iterator[Platform]:
    """Start a platform, on a data folder of its own unless one is given; stop it at the end."""
    setup = setup or Setup()
    folder = Path(tempfile.mkdtemp(prefix="homeostat-benchmark-", dir=setup.under))
    try:
        with (folder / "log").open("w", encoding="utf-8") as log:
            platform = _start(setup.data or folder / "data", setup.settings, log)
            try:
                yield platform
            finally:
                platform.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(data: Path, settings: Mapping[str, str], log: IO[str]) -> Platform:
    flags = {"data": str(data), "http": "127.0.0.1:0", "grpc": "127.0.0.1:0", **settings}
    words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", value)]
    began_s = time.monotonic()
    process = subprocess.Popen(
        [*_COMMAND, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        found = _READY.search(line)
        if found:
            ready_s = time.monotonic() - began_s
            return Platform(process, data, int(found[1]), int(found[2]), ready_s)
    process.wait()
    raise StartFailedError(f"exit code {process.returncode}: {Path(log.name).read_text(encoding='utf-8')[-2000:]}")
