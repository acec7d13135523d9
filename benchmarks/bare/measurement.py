"""Measuring the bare engine: items per CPU second of a process that only inserts. It decides nothing about targets."""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import processes
from benchmarks.bare.segments import FilledSegment, write_segment
from benchmarks.realistic import Restamper
from homeostat_server.model.signal import Signal

_LANE: Final = 1
_WARM_SEGMENTS: Final = 2


@dataclass(frozen=True, slots=True)
class BareResult:
    """Hold what inserting took: until the last row was there, and until the merges behind it were done as well."""

    items: int
    segments: int
    seconds: float
    insert_cpu_s: float
    quiet_cpu_s: float
    resident_bytes_max: int

    @property
    def items_per_cpu_s(self) -> float:
        """Return the items per CPU second, merges included."""
        return self.items / self.quiet_cpu_s


def measure(signal: Signal, *, items: int, segment_bytes: int, templates: int = 128) -> BareResult:
    """Insert about so many items in segments of this size, in a process of its own, and return what that took."""
    stock = Restamper(signal.value, bodies=templates, lane=_LANE)
    with tempfile.TemporaryDirectory(prefix="homeostat-bare-") as name:
        folder = Path(name)
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.bare", str(folder / "telemetry")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            _answer(process)
            for _ in range(_WARM_SEGMENTS):
                _insert(process, write_segment(folder, signal=signal, stock=stock, size_bytes=segment_bytes))
            return _measure(process, folder, signal=signal, stock=stock, items=items, segment_bytes=segment_bytes)
        finally:
            process.kill()
            process.wait()


def _measure(
    process: subprocess.Popen[str],
    folder: Path,
    *,
    signal: Signal,
    stock: Restamper,
    items: int,
    segment_bytes: int,
) -> BareResult:
    before_s = processes.wait_until_quiet(process.pid)
    stored = segments = 0
    seconds = 0.0
    with processes.Watch(process.pid) as watch:
        while stored < items:
            filled = write_segment(folder, signal=signal, stock=stock, size_bytes=segment_bytes)
            began_s = time.monotonic()
            _insert(process, filled)
            seconds += time.monotonic() - began_s
            filled.segment.path.unlink()
            stored += filled.items
            segments += 1
    quiet_s = processes.wait_until_quiet(process.pid)
    return BareResult(
        items=stored,
        segments=segments,
        seconds=seconds,
        insert_cpu_s=watch.usage.cpu_s,
        quiet_cpu_s=quiet_s - before_s,
        resident_bytes_max=watch.usage.resident_bytes_max,
    )


def _insert(process: subprocess.Popen[str], filled: FilledSegment) -> None:
    segment = filled.segment
    fields = {
        "signal": segment.signal.value,
        "number": segment.number,
        "path": str(segment.path),
        "records": segment.records,
        "size_bytes": segment.size_bytes,
    }
    assert process.stdin is not None
    process.stdin.write(json.dumps(fields) + "\n")
    process.stdin.flush()
    _answer(process)


def _answer(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    if not process.stdout.readline():
        raise RuntimeError(f"the bare engine ended with exit code {process.wait()}")
