"""The handle on a load generator's process. It measures nothing itself."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.load.phases import Load, Phase, Sent, parse_line


class Generator:
    """Ask a running load generator for one phase after another."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        """Hold a process that is ready."""
        self._process = process

    def run(self, phase: Phase) -> Sent:
        """Let it send and return what came of it."""
        assert self._process.stdin is not None
        self._process.stdin.write(phase.line() + "\n")
        self._process.stdin.flush()
        return Sent(**parse_line(_answer(self._process)))


@contextmanager
def generating(load: Load) -> Iterator[Generator]:
    """Start a load generator and end it afterwards."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.load", load.line()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        _answer(process)
        yield Generator(process)
    finally:
        process.kill()
        process.wait()


def _answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"the load generator ended with exit code {process.wait()}")
    return line
