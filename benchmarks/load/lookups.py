"""Look-ups of acknowledged traces at a steady pace, in a process of its own. It judges nothing but the status.

`python -m benchmarks.load.lookups PORT IDS_FILE SECONDS` prints one line of JSON: how many were asked and found, and
percentiles of how long the answers took. Ids are taken once they were acknowledged for two seconds.
"""

import http.client
import json
import random
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.load.phases import parse_line, percentiles_ms

_PER_S: Final = 5.0
_AGE_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class LookedUp:
    """Hold what came of the look-ups."""

    asked: int
    found: int
    latency_ms: dict[str, float]


class LookUps:
    """Be a running process of look-ups."""

    def __init__(self, *, port: int, ids_file: Path, duration_s: float) -> None:
        """Start it."""
        command = [sys.executable, "-m", "benchmarks.load.lookups", str(port), str(ids_file), str(duration_s)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def result(self) -> LookedUp:
        """Wait for its end and return what came of it."""
        line, _ = self._process.communicate()
        return LookedUp(**parse_line(line))


class _Ids:
    """Read the ids file as it grows; a line is a time and an id."""

    def __init__(self, path: Path) -> None:
        self._file = path.open(encoding="ascii")
        self._rest = ""
        self._waiting: list[tuple[float, str]] = []
        self._old: list[str] = []

    def choose(self, now_s: float) -> str | None:
        """Return one of the ids that were acknowledged long enough ago."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        self._waiting += [(float(moment), name) for moment, name in (line.split() for line in lines)]
        while self._waiting and self._waiting[0][0] < now_s - _AGE_S:
            self._old.append(self._waiting.pop(0)[1])
        return random.choice(self._old) if self._old else None


def _ask(connection: http.client.HTTPConnection, name: str) -> bool:
    connection.request("GET", f"/api/v1/traces/{name}")
    response = connection.getresponse()
    return name.encode() in response.read() and response.status == 200


def look_up(*, port: int, ids: _Ids, duration_s: float) -> LookedUp:
    """Look traces up for a while."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    seconds: list[float] = []
    found = 0
    begin_s = time.time()
    for tick in range(int(duration_s * _PER_S)):
        time.sleep(max(0.0, begin_s + tick / _PER_S - time.time()))
        name = ids.choose(time.time())
        if name is not None:
            began_s = time.perf_counter()
            found += _ask(connection, name)
            seconds.append(time.perf_counter() - began_s)
    return LookedUp(len(seconds), found, percentiles_ms(seconds))


def main() -> int:
    """Look up as the arguments say."""
    port, path, duration_s = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])
    path.touch()
    print(json.dumps(asdict(look_up(port=port, ids=_Ids(path), duration_s=duration_s))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
