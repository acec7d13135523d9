"""Programs of a team under real servers: started in their folder, asked over HTTP, stopped. It knows no telemetry."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any, Final

from tests.running import ask
from tests.waiting import until

BIN: Final = Path(sys.executable).parent
START_S: Final = 60.0


def environment(**settings: str) -> dict[str, str]:
    """Return the variables of a program: those of the tester without settings of any telemetry, and these."""
    hidden = ("HOMEOSTAT_", "OTEL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(hidden)} | settings


class Served:
    """Hold a server on a port, with everything that it starts."""

    def __init__(
        self, words: Sequence[str], *, folder: Path, port: int, variables: Mapping[str, str], log: Path
    ) -> None:
        """Start it and return at once."""
        self.port = port
        self._log = log
        with log.open("wb") as out:
            self._process = subprocess.Popen(
                words,
                cwd=folder,
                env=dict(variables),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                process_group=0,
            )

    def wait_until_ready(self) -> None:
        """Wait until it takes connections."""
        until(self._is_ready, timeout_s=START_S, what=f"a server on port {self.port}")

    def _is_ready(self) -> bool:
        if self._process.poll() is not None:
            raise RuntimeError(self.log())
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
            return True
        return False

    def log(self) -> str:
        """Return what it said."""
        return self._log.read_text(errors="replace")

    def get(self, path: str) -> Any:  # noqa: ANN401 - a document
        """Ask for a document over a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            answer = ask(connection, "GET", path)
        finally:
            connection.close()
        assert answer.status == 200, (answer, self.log())
        return answer.json()

    def get_all(self, paths: Sequence[str], *, at_once: int = 4) -> list[Any]:
        """Ask for many documents, several at once, so that all workers get some."""
        with ThreadPoolExecutor(at_once) as askers:
            return list(askers.map(self.get, paths))

    def answers(self, path: str) -> bool:
        """Say whether it answers at all."""
        with suppress(OSError, HTTPException, AssertionError):
            self.get(path)
            return True
        return False

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop, wait for that and return the exit code."""
        if self._process.poll() is None:
            self._process.send_signal(number)
        return self._process.wait(30)

    def kill(self) -> None:
        """End whatever is left of it and of what it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


@contextmanager
def served(
    words: Sequence[str], *, folder: Path, port: int, variables: Mapping[str, str], log: Path
) -> Iterator[Served]:
    """Give a server that is ready; nothing of it is left when the block ends."""
    server = Served(words, folder=folder, port=port, variables=variables, log=log)
    try:
        server.wait_until_ready()
        yield server
    finally:
        server.kill()
