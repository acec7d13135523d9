"""Which rows are the same span, and which span a row calls its parent. It knows ids and no times but to break ties.

Invariant: ids are compared as they are; a hash only finds where to look, and what collides is sorted out exactly.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ids = npt.NDArray[np.uint64]
Indexes = npt.NDArray[np.int32]

NOBODY: Final = -1
"""In the place of an index: there is none."""

_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)  # odd, so that traces of different numbers differ in all 64 bits


@dataclass(frozen=True, slots=True)
class Kinship:
    """Hold the rows that are spans of their own, and the parent of each as a position among them."""

    kept: npt.NDArray[np.int64]
    parent: Indexes


def words(column: pa.ChunkedArray) -> npt.NDArray[np.uint64]:
    """Return ids of 8 or 16 bytes as numbers of 64 bits, a row each; they are not in the order of the ids."""
    array = column.combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # a table without rows has no chunk to give
        array = pa.concat_arrays(array.chunks) if array.num_chunks else pa.array([], column.type)
    width = array.type.byte_width // 8
    if not len(array):
        return np.empty((0, width), np.uint64)
    taken = np.frombuffer(array.buffers()[1], np.uint64, count=len(array) * width, offset=array.offset * width * 8)
    return taken.reshape(len(array), width)


def relate(trace: Indexes, span: Ids, parent: Ids, *, start_ns: npt.NDArray[np.int64]) -> Kinship:
    """Return which rows are kept and who is whose parent.

    Of rows with one span id in one trace the earliest is kept, of equally early ones the first.

    Args:
        trace: number of the trace of each row.
        span: id of each row.
        parent: id of each row's parent, 0 for none.
        start_ns: when each row began.
    """
    keys, wanted = _mixed(trace, span), _mixed(trace, parent)
    order = np.argsort(keys)
    if _collide(keys[order], trace[order], span[order]):
        keys, wanted = _ranked(trace, span, parent)
        order = np.argsort(keys)
    order = _earliest_first(order, keys, start_ns)
    in_order = keys[order]
    is_first = np.ones(len(order), dtype=bool)
    is_first[1:] = in_order[1:] != in_order[:-1]
    firsts, first_keys = order[is_first], in_order[is_first]
    kept = np.sort(firsts)
    position = np.full(len(trace), NOBODY, np.int32)
    position[kept] = np.arange(len(kept), dtype=np.int32)
    asking = kept[parent[kept] != 0]
    found = np.full(len(kept), NOBODY, np.int32)
    found[position[asking]] = _found(
        firsts, first_keys, wanted[asking], asked=asking, ids=(trace, span, parent), to=position
    )
    return Kinship(kept, found)


def _mixed(trace: Indexes, ids: Ids) -> Ids:
    mixed = ids ^ (trace.astype(np.uint64) * _SPREAD)
    return mixed * _SPREAD


def _ranked(trace: Indexes, span: Ids, parent: Ids) -> tuple[Ids, Ids]:
    """Return keys that cannot collide: the place of an id among all, and the trace before it."""
    known, place = np.unique(np.concatenate([span, parent]), return_inverse=True)
    rows = np.uint64(max(1, len(known)))
    keys = trace.astype(np.uint64) * rows + place[: len(span)].astype(np.uint64)
    return keys, trace.astype(np.uint64) * rows + place[len(span) :].astype(np.uint64)


def _collide(keys: Ids, trace: Indexes, span: Ids) -> bool:
    same = keys[1:] == keys[:-1]
    return bool(np.any(same & ((trace[1:] != trace[:-1]) | (span[1:] != span[:-1]))))


def _earliest_first(order: npt.NDArray[np.int64], keys: Ids, start_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the order with rows of equal keys by start, then by row."""
    in_order = keys[order]
    same = in_order[1:] == in_order[:-1]
    if not same.any():
        return order
    several = np.zeros(len(order), dtype=bool)
    several[1:] = same
    several[:-1] |= same
    places = np.flatnonzero(several)
    rows = order[places]
    sorted_order = order.copy()
    sorted_order[places] = rows[np.lexsort((rows, start_ns[rows], keys[rows]))]
    return sorted_order


def _found(
    firsts: npt.NDArray[np.int64],
    first_keys: Ids,
    wanted: Ids,
    *,
    asked: npt.NDArray[np.int64],
    ids: tuple[Indexes, Ids, Ids],
    to: Indexes,
) -> Indexes:
    """Return the position of each wanted parent."""
    trace, span, parent = ids
    # In their order: looking up what lies close together is three times as fast.
    by_key = np.argsort(wanted)
    place = np.searchsorted(first_keys, wanted[by_key])
    place[place == len(first_keys)] = 0
    candidate, row = firsts[place], asked[by_key]
    is_it = (span[candidate] == parent[row]) & (trace[candidate] == trace[row])
    found = np.empty(len(wanted), np.int32)
    found[by_key] = np.where(is_it, to[candidate], NOBODY)
    return found
