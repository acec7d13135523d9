"""What the kernel says of a process: CPU and memory, now and while something runs. It knows no program by name."""

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
_SAMPLE_S: Final = 0.2
_KIB: Final = 1024


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process and its waited-for children used, kernel time included."""
    # After the last parenthesis: the command's name may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS_PER_S


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * _KIB
    return 0


def wait_until_quiet(pid: int, *, cores: float = 0.05, window_s: float = 1.0, timeout_s: float = 120.0) -> float:
    """Wait until a process uses less than `cores` over a window and return the CPU seconds it had used before it.

    An engine goes on merging after the last insert; that work belongs to what was inserted.

    Raises:
        TimeoutError: it is still busy after `timeout_s`.
    """
    deadline_s = time.monotonic() + timeout_s
    before_s = cpu_s(pid)
    while time.monotonic() < deadline_s:
        time.sleep(window_s)
        now_s = cpu_s(pid)
        if now_s - before_s < cores * window_s:
            return before_s
        before_s = now_s
    raise TimeoutError(f"process {pid} is still busy after {timeout_s:g} s")


@dataclass(frozen=True, slots=True)
class Usage:
    """Hold what a process took while it was watched."""

    seconds: float
    cpu_s: float
    resident_bytes_max: int


class Watch:
    """Sample a process in a thread, from entering to leaving the context."""

    def __init__(self, pid: int) -> None:
        """Watch nothing yet."""
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._resident_bytes_max = 0
        self._began_s = 0.0
        self._cpu_s = 0.0
        self._usage: Usage | None = None

    @property
    def usage(self) -> Usage:
        """Return what was seen; ask after leaving the context."""
        assert self._usage is not None, "still watching"
        return self._usage

    def __enter__(self) -> Self:
        """Begin."""
        self._began_s, self._cpu_s = time.monotonic(), cpu_s(self._pid)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End."""
        self._stop.set()
        self._thread.join()
        if kind is None:
            used_s = cpu_s(self._pid) - self._cpu_s
            self._usage = Usage(time.monotonic() - self._began_s, used_s, self._resident_bytes_max)

    def _run(self) -> None:
        while not self._stop.wait(_SAMPLE_S):
            try:
                self._resident_bytes_max = max(self._resident_bytes_max, resident_bytes(self._pid))
            except FileNotFoundError:
                return  # it ended; whoever reads its CPU next says so
