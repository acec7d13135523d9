"""How much of a window is looked at for counts that may be about right.

Some stretches of five minutes, spread over it, and of these a share of the traces, chosen by their ids: rows are sorted
by both, so a share of them is a share of what is read. Ids are random (W3C Trace Context, level 2); where they are not,
everything is looked at.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.completion import sql
from homeostat_server.query.rows import integer
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

STRETCHES_MAX: Final = 8
"""Of five minutes in a sample: each costs at least one block of rows a part."""

_STRETCH_NS: Final = 300 * NS_PER_S
_IDS: Final = 2**128
_SURPLUS_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSizes:
    """Hold how large samples are.

    Attributes:
        first: spans in the first one: more than a screen of counts needs, and some 30 ms on two cores.
        second: in the one that is looked at when the first had too little: some 200 ms.
        enough: items in the first that say enough: the error of a share of a tenth of them is then 13 % (one standard
            deviation). When the second has none at all, everything is looked at.
    """

    first: int = 100_000
    second: int = 1_200_000
    enough: int = 500


@dataclass(frozen=True, slots=True)
class Share:
    """Hold which share of the traces is looked at.

    Attributes:
        stretches: where the stretches begin, in seconds with commas between; None when it is everything.
        end: the id before which traces are, 32 hexadecimal digits.
        part: which part of the window's spans they have.
        enough: how many items have to be found in it for its word to be taken; with fewer, a larger one is looked at.
    """

    stretches: str | None
    end: str
    part: float
    enough: int = 0

    @property
    def is_whole(self) -> bool:
        """Say whether it is everything."""
        return self.stretches is None

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of the condition `sql.IN_SAMPLE`."""
        return {} if self.stretches is None else {"sample_end": self.end, "sample_stretches": self.stretches}

    def scaled(self, times: int) -> int:
        """Return how many there are about in the window when so many are in the sample."""
        return round(times / self.part)


WHOLE: Final = Share(None, "", 1.0)


def shares(reader: TelemetryReader, *, tenant: Tenant, window: Window, sizes: SampleSizes) -> Iterator[Share]:
    """Yield shares of a window to look at, each larger than the one before; the last is everything."""

    def size(statement: str, sample: Share) -> int:
        parameters = {"tenant": tenant, **window.parameters(), **sample.parameters()}
        return integer(reader.read(tenant, statement, parameters)[0]["spans"])

    spans = size(sql.SIZE, WHOLE)
    listed, of_window = _stretches(window)
    for spans_max, enough in ((sizes.first, sizes.enough), (sizes.second, 1)):
        if spans > spans_max:
            end = min(_IDS - 1, int(_IDS * spans_max / (spans * of_window)))
            in_sample = size(sql.SAMPLE_SIZE, Share(listed, f"{end:032x}", 1.0))
            # Ids that begin alike are all in the sample, or none is: then it is no sample.
            if 0 < in_sample <= spans_max * _SURPLUS_MAX:
                yield Share(listed, f"{end:032x}", in_sample / spans, enough)
    yield WHOLE


def _stretches(window: Window) -> tuple[str, float]:
    """Return stretches of a window, and about which part of it they are."""
    begins = range(window.start_ns // _STRETCH_NS, window.last_ns // _STRETCH_NS + 1)
    count = min(len(begins), STRETCHES_MAX)
    # In the middle of each of so many equal parts.
    chosen = [begins[(2 * number + 1) * len(begins) // (2 * count)] for number in range(count)]
    return ",".join(str(begin * _STRETCH_NS // NS_PER_S) for begin in chosen), count / len(begins)
