"""Rows that agree in several columns, as numbered groups. It knows arrays only."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Hold which group each row is in, and a first row of each group; groups are in the order of their columns."""

    of: Codes
    first: Codes

    def __len__(self) -> int:
        return len(self.first)

    def sum(self, values: npt.NDArray[np.float64] | npt.NDArray[np.int64]) -> Reals:
        """Return the sum of each group's values."""
        return np.asarray(np.bincount(self.of, weights=values, minlength=len(self.first)), np.float64)

    def count(self) -> Codes:
        """Return how many rows each group has."""
        return np.bincount(self.of, minlength=len(self.first))

    def top(self, values: Reals) -> Codes:
        """Return the row with the greatest value of each group, of several the first."""
        order = np.lexsort((-np.arange(len(values)), values, self.of))
        ends = np.cumsum(self.count()) - 1
        return order[ends]


def group(*columns: npt.NDArray[np.int64] | npt.NDArray[np.int32]) -> Groups:
    """Group rows by columns of numbers that are not negative."""
    key = columns[0].astype(np.int64)
    for column in columns[1:]:
        codes = column.astype(np.int64)
        width = int(codes.max(initial=0)) + 1
        if int(key.max(initial=0)) >= 2**62 // width:
            key = np.unique(key, return_inverse=True)[1].astype(np.int64)
        key = key * width + codes
    _, first, place = np.unique(key, return_index=True, return_inverse=True)
    return Groups(place.astype(np.int64), first.astype(np.int64))
