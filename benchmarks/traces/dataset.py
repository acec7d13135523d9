"""The data set: realistic spans of the hours before a moment, in a folder that `homeostat up` opens.

`python -m benchmarks.traces.dataset --data DIR --spans 20000000`. Rows come by the store's own insert, and a segment's
number follows the time of its spans, so that `received`, partitions and merges are those of a day of sending. A smaller
set is the end of a larger one: the same spans, at the same times.
"""

import argparse
import itertools
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from benchmarks.bare.store import open_store
from benchmarks.load.phases import parse_line
from benchmarks.realistic import landscape
from benchmarks.realistic.bodies import Body
from benchmarks.realistic.generation import SPANS_PER_ROUND
from benchmarks.realistic.spans import Forest, SpanRound
from homeostat_server.ingest.segment import digest_of, frame, segment_name
from homeostat_server.model.segment import NODE_BITS, SealedSegment
from homeostat_server.model.signal import Signal
from homeostat_server.rollups.rounds import LOOK_EVERY_S, Rollups
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.store.telemetry.embedded import EmbeddedStore

ROUND_S: Final = 432
"""A day has 200 rounds of 100,000 spans: 20 M a day, 231 a second."""

DAY_ROUNDS: Final = 200
SPANS: Final = DAY_ROUNDS * SPANS_PER_ROUND

_NS: Final = 10**9
_HOUR_S: Final = 3600
_DAYS: Final = 3
_TENANT: Final = b"default"
SEED: Final = 1
_SEGMENT_BYTES: Final = 16 * 2**20
"""The server's own size of a full segment."""

_DESCRIPTION: Final = "dataset.json"
_STORE: Final = "telemetry"
_LOOK_S: Final = 0.5
_QUIET_LOOKS: Final = 6


@dataclass(frozen=True, slots=True)
class Dataset:
    """Hold what a folder of data is: how many spans, and the time that they fill."""

    spans: int
    start_ns: int
    end_ns: int

    @property
    def rounds(self) -> range:
        """Return the numbers of the rounds whose spans it has."""
        return range(DAY_ROUNDS - self.spans // SPANS_PER_ROUND, DAY_ROUNDS)

    def newest_hour(self) -> "Dataset":
        """Return its last hour, which sets of all sizes have in common."""
        return planned(round(_HOUR_S / ROUND_S) * SPANS_PER_ROUND, end_ns=self.end_ns)


def planned(spans: int, *, end_ns: int) -> Dataset:
    """Return the set of so many spans, whole rounds of them, that ends at a moment."""
    rounds = min(max(1, round(spans / SPANS_PER_ROUND)), DAY_ROUNDS)
    return Dataset(rounds * SPANS_PER_ROUND, end_ns - rounds * ROUND_S * _NS, end_ns)


def read_description(data: Path) -> Dataset | None:
    """Return what a folder holds, None when it is not a complete data set."""
    try:
        return Dataset(**parse_line((data / _DESCRIPTION).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def ensure(data: Path, *, spans: int, end_ns: int | None = None) -> Dataset:
    """Return the data set of a folder, made when it is not there.

    Raises:
        FileExistsError: the folder is there and holds something else.
    """
    found = read_description(data)
    if found is not None:
        return found
    if data.exists():
        raise FileExistsError(f"{data} is there and is no data set of this benchmark")
    return make(data, planned(spans, end_ns=end_ns or time.time_ns()))


def make(data: Path, plan: Dataset) -> Dataset:
    """Fill a new folder and return what it holds; it has its description only when it is whole."""
    data.mkdir(parents=True)
    store = open_store(data / _STORE)
    with tempfile.TemporaryDirectory(prefix="homeostat-segments-", dir=data.parent) as name:
        for segment in _segments(Path(name), _bodies(plan)):
            store.insert_segment(segment)
            segment.path.unlink()
    sum_up(store, end_ns=plan.end_ns)
    _wait_for_merges(store)
    store.close()
    (data / _DESCRIPTION).write_text(json.dumps(asdict(plan)) + "\n", encoding="utf-8")
    return plan


def sum_up(store: EmbeddedStore, *, end_ns: int) -> None:
    """Make the summaries of all five minutes, as a server does in the background while spans come."""
    clock = ManualClock(now_ns=end_ns + _HOUR_S * _NS)
    rollups = Rollups(store, clock=clock, telemetry=Telemetry(), days=_DAYS, is_behind=lambda: False)
    is_found = True
    while is_found:
        clock.advance(LOOK_EVERY_S)
        rollups.step()  # it looks for what is due
        is_found = rollups.step()
        while rollups.step():
            pass


def clone(data: Path, to: Path) -> None:
    """Copy a data set that nobody has open: what never changes as links to the same files, the rest as files."""
    shutil.copytree(data, to, symlinks=True, copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> str:
    path = Path(source)
    # Parts never change; descriptions of tables (.sql) do when a layout is brought up to date.
    if "store" in path.parts and path.suffix != ".sql":
        os.link(source, target, follow_symlinks=False)
        return target
    return str(shutil.copy2(source, target, follow_symlinks=False))


@dataclass(frozen=True, slots=True)
class _Timed:
    """Hold a body and when it would have been received."""

    body: Body
    received_ns: int


def _bodies(plan: Dataset) -> Iterator[_Timed]:
    forest = Forest.grown(landscape.build(), seed=SEED, spans=SPANS_PER_ROUND)
    made = SpanRound(forest, items_per_body=512, style="collector")
    scratch = made.batch.scratch()
    for position, number in enumerate(plan.rounds):
        start_ns = plan.start_ns + position * ROUND_S * _NS
        table = made.table(seed=SEED, round_number=number, start_ns=start_ns, window_ns=ROUND_S * _NS)
        bodies = len(made.batch.templates)
        for place, template in enumerate(made.batch.templates, start=1):
            received_ns = start_ns + place * ROUND_S * _NS // bodies
            yield _Timed(Body(template.stamp(table, scratch), template.items), received_ns)


def _segments(folder: Path, bodies: Iterator[_Timed]) -> Iterator[SealedSegment]:
    while (first := next(bodies, None)) is not None:
        number = first.received_ns // 1000 << NODE_BITS
        path = folder / segment_name(number)
        written = records = 0
        with path.open("wb") as file:
            for timed in itertools.chain((first,), bodies):
                data = timed.body.data
                head, tail = frame(_TENANT, body_bytes=len(data), digest=digest_of(_TENANT, data))
                written += file.write(head) + file.write(data) + file.write(tail)
                records += 1
                if written >= _SEGMENT_BYTES:
                    break
        yield SealedSegment(signal=Signal.TRACES, number=number, path=path, records=records, size_bytes=written)


def _wait_for_merges(store: EmbeddedStore) -> None:
    """Wait until the engine merges nothing any more: the number of parts stays what it is."""
    quiet, before = 0, -1
    while quiet < _QUIET_LOOKS:
        time.sleep(_LOOK_S)
        parts = sum(table.parts for table in store.statistics().tables)
        quiet, before = (quiet + 1, before) if parts == before else (0, parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make a data set as the arguments say, unless it is there."""
    options_of = argparse.ArgumentParser(prog="python -m benchmarks.traces.dataset", description=__doc__)
    options_of.add_argument("--data", type=Path, required=True, help="folder to make")
    options_of.add_argument("--spans", type=int, default=SPANS, help="rounded to 100,000s, at most 20 M")
    options_of.add_argument("--end-s", type=float, help="seconds since 1970 at which it ends; default: now")
    options = options_of.parse_args(arguments)
    end_ns = None if options.end_s is None else int(options.end_s * _NS)
    began_s = time.monotonic()
    found = ensure(options.data, spans=options.spans, end_ns=end_ns)
    print(f"{options.data}: {json.dumps(asdict(found))}, {time.monotonic() - began_s:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
