"""Rows of summaries as plain arrays, and what they add up to. It knows lists in columns, not what they mean."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from homeostat_server.query.summaries.histograms import Histograms

Codes = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]

LEVELS: Final = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True)
class Words:
    """Hold a column of words as numbers."""

    codes: Codes
    words: tuple[bytes, ...]

    def __getitem__(self, row: int) -> bytes:
        return self.words[int(self.codes[row])]


def words(table: pa.Table, column: str) -> Words:
    """Return a column of lists of words, the lists one after the other."""
    encoded = _flat(table, column).dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return Words(codes, tuple(encoded.dictionary.to_pylist()))


def numbers(table: pa.Table, column: str) -> Codes:
    """Return a column of lists of whole numbers, the lists one after the other."""
    flat: Codes = _flat(table, column).to_numpy(zero_copy_only=False).astype(np.int64)
    return flat


def reals(table: pa.Table, column: str) -> Reals:
    """Return a column of lists of real numbers, the lists one after the other."""
    flat: Reals = _flat(table, column).to_numpy(zero_copy_only=False).astype(np.float64)
    return flat


def lists(table: pa.Table, column: str) -> list[list[bytes]]:
    """Return a column of lists of lists of words, the outer lists one after the other."""
    flat: list[list[bytes]] = _flat(table, column).to_pylist()
    return flat


def total(table: pa.Table, column: str) -> float:
    """Return the sum of a column."""
    return float(pc.sum(table[column]).as_py() or 0.0)


def histograms(table: pa.Table, name: str, *, of: Codes, groups: int) -> Histograms:
    """Return the histograms of groups of entries.

    Args:
        table: with the columns `name_bins` and `name_weights`.
        name: what the entries are.
        of: which group each entry is in, -1 for those that are in none.
        groups: how many groups there are.
    """
    bins = _flat(table, f"{name}_bins")
    lengths = pc.list_value_length(bins).to_numpy(zero_copy_only=False).astype(np.int64)
    group = np.repeat(of, lengths)
    values = pc.list_flatten(bins).to_numpy(zero_copy_only=False).astype(np.int64)
    weights = pc.list_flatten(_flat(table, f"{name}_weights")).to_numpy(zero_copy_only=False)
    chosen = group >= 0
    return Histograms.of(group[chosen], values[chosen], weights[chosen], groups=groups)


def _flat(table: pa.Table, column: str) -> pa.Array:
    """Return the elements of all lists of a column; it may come in chunks, and as no chunk at all."""
    flat = pc.list_flatten(table[column])
    if not isinstance(flat, pa.ChunkedArray):
        return flat
    return pa.concat_arrays(flat.chunks) if flat.num_chunks else pa.array([], flat.type)
