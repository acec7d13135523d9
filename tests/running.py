"""A real `homeostat up` on free ports: started, talked to, stopped, killed. It does not know what is sent to it."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final

from homeostat_server.model.signal import Signal
from tests.waiting import until

HOMEOSTAT: Final = Path(sys.executable).with_name("homeostat")
START_S: Final = 90.0
"""Until a process is ready; far longer than it takes, because tests share the machine."""

_READY: Final = re.compile(r"is ready after .*?: (https?)://\S+?:(\d+) .*gRPC on \S+?:(\d+),")


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Say how a process is started: on which data, with which settings, and as whom.

    `measured` lets coverage look inside; a process that will be killed loses that anyway, one of another user cannot
    write it down, and each starts faster without.
    """

    data: Path
    settings: Mapping[str, object] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    measured: bool = True

    def command(self) -> list[str]:
        """Return the words that start it."""
        flags = {"data": self.data, "http": "127.0.0.1:0", "grpc": "127.0.0.1:0", **self.settings}
        words = [word for name, value in flags.items() for word in (f"--{name.replace('_', '-')}", str(value))]
        return [*self.prefix, str(HOMEOSTAT), "up", *words]

    def environment(self) -> dict[str, str]:
        """Return the variables that it sees: none of its own settings, which would come from the tester's shell."""
        hidden = ("HOMEOSTAT_",) if self.measured else ("HOMEOSTAT_", "COVERAGE_", "COV_")
        return {name: value for name, value in os.environ.items() if not name.startswith(hidden)}


@dataclass(frozen=True, slots=True)
class Answer:
    """Hold the answer to an HTTP request, header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:  # noqa: ANN401 - a document
        """Return the body as the document it is."""
        return json.loads(self.body)


class Platform:
    """Hold one process, from its start to its end."""

    def __init__(self, launch: Launch) -> None:
        """Start it and return at once."""
        self.data = launch.data
        launch.data.parent.mkdir(parents=True, exist_ok=True)
        self._out = launch.data.with_suffix(".out")
        self._log = launch.data.with_suffix(".log")
        self._log_start = self._log.stat().st_size if self._log.exists() else 0
        with self._out.open("wb") as out, self._log.open("ab") as log:
            self._process = subprocess.Popen(
                launch.command(), stdin=subprocess.DEVNULL, stdout=out, stderr=log, env=launch.environment()
            )
        self.scheme = "http"
        self.http_port = 0
        self.grpc_port = 0

    @property
    def pid(self) -> int:
        """Return the number of the process."""
        return self._process.pid

    @property
    def grpc_target(self) -> str:
        """Return where gRPC listens."""
        return f"127.0.0.1:{self.grpc_port}"

    def is_running(self) -> bool:
        """Say whether it has not ended."""
        return self._process.poll() is None

    def log(self) -> str:
        """Return what this process, not an earlier one, has logged."""
        return self._log.read_bytes()[self._log_start :].decode()

    def wait_until_ready(self) -> "Platform":
        """Wait for the ready line, and take the ports from it."""
        found = until(self._find_ready, timeout_s=START_S, what="the ready line")
        self.scheme, self.http_port, self.grpc_port = found[1], int(found[2]), int(found[3])
        return self

    def _find_ready(self) -> "re.Match[str] | None":
        found = _READY.search(self._out.read_text())
        if found is None and not self.is_running():
            raise RuntimeError(f"it ended with {self._process.returncode}: {self.log()}")
        return found

    def request(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """Ask it something over a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.http_port, timeout=60)
        try:
            return ask(connection, method, path, body=body, headers=headers)
        finally:
            connection.close()

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask for a document."""
        return self.request("GET", path, headers=headers)

    def post(self, signal_name: str, body: bytes, headers: Mapping[str, str] | None = None) -> Answer:
        """Send an OTLP request of a signal, as protobuf unless the headers say otherwise."""
        return self.request("POST", f"/v1/{signal_name}", body, PROTOBUF | dict(headers or {}))

    def metric(self, sample: str) -> float:
        """Return the value of one of its own metrics, named with its labels as it is exposed; 0 when not there."""
        for line in self.get("/metrics").body.decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    def wait_until_stored(self, *, timeout_s: float = 60.0) -> None:
        """Wait until nothing acknowledged waits for the store."""
        until(lambda: not self.waiting_segments(), timeout_s=timeout_s, what="an empty spool")

    def waiting_segments(self) -> list[Path]:
        """Return the segments that are not stored yet."""
        return waiting_segments(self.data)

    def kill(self) -> None:
        """Kill it as a power cut would, but for the kernel's memory of files."""
        self._process.kill()
        self._process.wait()

    def ask_to_stop(self, number: int = signal.SIGTERM) -> None:
        """Send it a signal and do not wait."""
        self._process.send_signal(number)

    def wait(self, timeout_s: float = 60.0) -> int:
        """Wait for its end and return the exit code."""
        return self._process.wait(timeout_s)

    def stop(self) -> int:
        """Ask it to stop, wait for that and return the exit code; one that has ended already only tells its code."""
        if self.is_running():
            self.ask_to_stop()
        return self.wait()


def waiting_segments(data: Path) -> list[Path]:
    """Return the segments in a data folder that are not stored yet; those in quarantine never will be."""
    return sorted(path for signal_name in Signal for path in (data / "spool" / signal_name).glob("*.segment"))


PROTOBUF: Final = {"Content-Type": "application/x-protobuf"}


def ask(
    connection: HTTPConnection,
    method: str,
    path: str,
    *,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask over a connection that may be used again."""
    connection.request(method, path, body or None, dict(headers or {}))
    response = connection.getresponse()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextmanager
def launched(launch: Launch) -> Iterator[Platform]:
    """Give a process that is ready; end it, by force if need be, when the block ends."""
    platform = Platform(launch)
    try:
        yield platform.wait_until_ready()
        platform.stop()
    finally:
        if platform.is_running():
            platform.kill()


def running(data: Path, **settings: object) -> AbstractContextManager[Platform]:
    """Give a process on this data, with these settings, that is ready and ends when the block does."""
    return launched(Launch(data=data, settings=settings))


def create_key(data: Path, *, tenant: str, scopes: Sequence[str] = ("ingest",)) -> str:
    """Make an API key as a person would, beside a running process or before it starts, and return its token."""
    words = [word for scope in scopes for word in ("--scope", scope)]
    return _key("create", "--data", str(data), "--tenant", tenant, *words)


def revoke_key(data: Path, token: str) -> None:
    """Revoke an API key as a person would."""
    _key("revoke", "--data", str(data), token)


def _key(*words: str) -> str:
    done = subprocess.run([HOMEOSTAT, "key", *words], check=True, capture_output=True, text=True, timeout=START_S)
    return done.stdout.strip()
