"""Durations in bins whose bounds grow by one per cent, so that any percentile is right to 0.5 % and bins add up.

The bins are those of DDSketch (https://www.vldb.org/pvldb/vol12/p2195-masson.pdf). It knows no spans.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

ACCURACY: Final = 0.005
"""Of a percentile, relative to its true value."""

_GROWTH: Final = (1 + ACCURACY) / (1 - ACCURACY)
_LOG: Final = math.log(_GROWTH)

BINS: Final = 8_192
"""More than there are: the longest duration of 64 bits lies in bin 4,370."""

CELLS_MAX: Final = 8_000_000
"""Of 8 bytes."""

_ROUNDING: Final = 1e-9

Reals = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def bins_of(durations_ns: npt.NDArray[np.int64]) -> Codes:
    """Return the bin of each duration; those that are not positive share the bin 0."""
    logs = np.log(np.maximum(durations_ns, 1)) / _LOG
    return np.where(durations_ns > 0, np.ceil(logs - _ROUNDING).astype(np.int64) + 1, 0)


def bin_of(duration_ns: str) -> str:
    """Return the expression in SQL that gives the bin of a duration."""
    return f"if({duration_ns} > 0, toUInt16(ceil(log({duration_ns}) / {_LOG} - {_ROUNDING})) + 1, 0)"


def values_of(bins: Codes) -> Reals:
    """Return the duration in nanoseconds that stands for all of a bin."""
    middle = 2 * np.exp((bins - 1) * _LOG) / (_GROWTH + 1)
    return np.where(bins > 0, middle, 0.0)


@dataclass(frozen=True, slots=True)
class Histograms:
    """Hold the histograms of several groups: entries by group and bin, each bin of a group once."""

    group: Codes
    bin: Codes
    weight: Reals
    groups: int

    @classmethod
    def of(cls, group: Codes, bins: Codes, weight: Reals, *, groups: int) -> "Histograms":
        """Add up observations, or entries of other histograms."""
        low = int(bins.min(initial=BINS))
        width = max(1, int(bins.max(initial=0)) - low + 1)
        if groups * width > CELLS_MAX:
            keys, place = np.unique(group * BINS + bins, return_inverse=True)
            sums = np.bincount(place, weights=weight, minlength=len(keys))
            return cls(keys // BINS, keys % BINS, np.asarray(sums, np.float64), groups)
        # A cell for every bin of every group: ten times as fast as sorting where there is room for it.
        cells = np.bincount(group * width + (bins - low), weights=weight, minlength=groups * width)
        keys = np.flatnonzero(cells)
        return cls(keys // width, keys % width + low, np.asarray(cells[keys], np.float64), groups)

    def offsets(self) -> Codes:
        """Return where the entries of each group begin; one more than there are groups."""
        return np.searchsorted(self.group, np.arange(self.groups + 1))

    def quantiles(self, levels: Sequence[float]) -> Reals:
        """Return a row a group and a column a level, in nanoseconds; a group without entries has zeros.

        A quantile is the duration at its rank, rounded down: of durations that weigh 1 each, the one at the whole part
        of `level * (count - 1)`, counted from 0.
        """
        offsets = self.offsets()
        running = np.concatenate([[0.0], np.cumsum(self.weight)])
        before, total = running[offsets[:-1]], running[offsets[1:]] - running[offsets[:-1]]
        found = np.zeros((self.groups, len(levels)))
        filled = np.flatnonzero(offsets[1:] > offsets[:-1])
        for column, level in enumerate(levels):
            rank = level * np.maximum(total[filled] - 1, 0)
            place = np.searchsorted(running[1:], before[filled] + rank, side="right")
            place = np.clip(place, offsets[filled], offsets[filled + 1] - 1)
            found[filled, column] = values_of(self.bin[place])
        return found
