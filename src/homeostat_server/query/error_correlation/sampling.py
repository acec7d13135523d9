"""Which traces are read: all of them, or a share when they are many. It knows tables of spans, no harm.

Trace ids are random, and the sorting key has them behind a bucket of five minutes: the traces below a bound are a fair
sample, and cost as much of each bucket, but some thousand rows at least. So a long window is read in slices: every so
many-th bucket. Ids that are not random are sampled by a hash, which reads all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pyarrow as pa

from homeostat_server.exceptions import QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.error_correlation import sql
from homeostat_server.query.error_correlation.harm import Flags
from homeostat_server.query.error_correlation.statistics import Integers
from homeostat_server.query.rows import integer
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

SPANS_WANTED: Final = 200_000
"""Read of all windows together: about half a second of work. Up to so many the answer is exact."""

SLICE_S: Final = 300
SLICES_WANTED: Final = 96
"""Of all windows together; the engine reads at least one granule of each, whatever the share."""

SPANS_MAX: Final = 4 * SPANS_WANTED
"""More than a sample can have unless the ids of traces are made to be alike."""

AFTER_NS: Final = 60 * NS_PER_S
"""Spans that begin so long after a window are read too: they belong to requests that began in it."""

KEY_BITS: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Hold which traces are read: `part` of those of every so many-th slice, by `how` their ids tell."""

    how: Literal["all", "key", "hash"] = "all"
    part: float = 1.0
    every: int = 1

    @property
    def of_all(self) -> float:
        """Return which share of all traces is read."""
        return self.part / self.every

    @property
    def is_all(self) -> bool:
        """Say whether all traces are read."""
        return self.how == "all" and self.every == 1

    def conditions(self) -> list[str]:
        """Return the conditions of being read."""
        by_id = {"all": [], "key": [sql.BY_KEY], "hash": [sql.BY_HASH]}[self.how]
        return by_id if self.every == 1 else [*by_id, sql.IN_SLICES]

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of its conditions."""
        parameters: dict[str, Parameter] = {}
        if self.how == "hash":
            parameters["one_of"] = round(1 / self.part)
        if self.how == "key":
            parameters["trace_id_end"] = f"{int(self.part * 2**KEY_BITS):032x}"
        return parameters

    def slices(self, window: Window) -> dict[str, Parameter]:
        """Return the parameters that say which slices of a window are read."""
        if self.every == 1:
            return {}
        period_s = self.every * SLICE_S
        first_s = window.start_ns // NS_PER_S // period_s * period_s
        return {"slice_first_s": first_s, "slice_end_s": window.last_ns // NS_PER_S + 1, "period_s": period_s}

    def has(self, start_ns: Integers, end_ns: Integers) -> Flags:
        """Say of requests whether they are read whole: those that lie within one slice."""
        if self.every == 1:
            return np.ones(len(start_ns), dtype=bool)
        slice_ns = SLICE_S * NS_PER_S
        whole: Flags = (start_ns // slice_ns % self.every == 0) & (start_ns // slice_ns == end_ns // slice_ns)
        return whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Hold what is asked: whose spans, of which windows, of which share of traces."""

    reader: TelemetryReader
    tenant: Tenant
    windows: Sequence[Window]

    def spans(self) -> int:
        """Return how many spans there are."""
        return sum(
            integer(self.reader.read(self.tenant, sql.SIZE, self._parameters(window))[0]["spans"])
            for window in self.windows
        )

    def table(self, statement: Callable[[Sequence[str]], str], share: Share, **more: Parameter) -> pa.Table:
        """Return the answer of a question to all windows, spans that begin a little later included.

        Raises:
            QueryLimit: it has more rows than a sample may have.
        """
        given = {**share.parameters(), **more, "rows": SPANS_MAX}
        tables = [
            self.reader.read_table(
                self.tenant,
                statement(share.conditions()),
                {**self._parameters(window), **share.slices(window), **given},
            )
            for window in joined([_longer(window) for window in self.windows])
        ]
        table = pa.concat_tables(tables)
        if table.num_rows >= SPANS_MAX:
            raise QueryLimit("correlate spans", value=f"{SPANS_MAX} of them", hint="Ask for a shorter window.")
        return table

    def _parameters(self, window: Window) -> dict[str, Parameter]:
        return {"tenant": self.tenant, **window.parameters()}


def choose_share(reading: Reading, *, spans_wanted: int) -> Share:
    """Return which traces to read so that about so many spans come."""
    spans = reading.spans()
    if spans <= spans_wanted:
        return Share()
    slices = sum(window.duration_s for window in reading.windows) / SLICE_S
    every = max(1, min(int(slices / SLICES_WANTED), spans // spans_wanted))
    part = spans_wanted * every / spans
    return Share(every=every) if part >= 1 else Share(how="key", part=part, every=every)


def is_fair(table: pa.Table, share: Share, *, spans_wanted: int) -> bool:
    """Say whether a sample by key has about as many spans as it should: it has not, where ids are not random."""
    return share.how != "key" or spans_wanted / 2 < table.num_rows < spans_wanted * 2


def by_hash(share: Share) -> Share:
    """Return about the same share, taken by a hash."""
    return Share(how="hash", part=1 / max(1, round(1 / share.part)), every=share.every)


def _longer(window: Window) -> Window:
    return Window(window.start_ns, min(window.end_ns + AFTER_NS, TIME_NS_MAX))


def joined(windows: Sequence[Window]) -> list[Window]:
    """Return windows that cover the same time, none of which touch."""
    found: list[Window] = []
    for window in sorted(windows, key=lambda each: each.start_ns):
        if found and window.start_ns <= found[-1].end_ns:
            found[-1] = Window(found[-1].start_ns, max(found[-1].end_ns, window.end_ns))
        else:
            found.append(window)
    return found


def first_tops(trace: Integers, parent: Integers, start_ns: Integers) -> Integers:
    """Return of each trace its first span that has no parent here."""
    tops = np.flatnonzero(parent < 0)
    tops = tops[np.lexsort((start_ns[tops], trace[tops]))]
    _, first = np.unique(trace[tops], return_index=True)
    found: Integers = tops[first]
    return found
