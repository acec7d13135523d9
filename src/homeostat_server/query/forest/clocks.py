"""Spans by one clock: a child that another machine timed is put back into its parent. It knows no ids.

The rule is that of Jaeger's query service (https://www.jaegertracing.io/docs/latest/features/#clock-skew-adjustment):
what a call took at the other end lies in the middle of what it took here. What need not lie within its parent, because
nobody waited for it (a consumer, a child that was only started), is moved only so that it does not begin before it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.identity import NOBODY, Indexes

Nanoseconds = npt.NDArray[np.int64]

SERVER: Final = 2
CLIENT: Final = 3
PRODUCER: Final = 4
CONSUMER: Final = 5
"""Kinds of spans by OTLP's numbers."""

LEVELS_MAX: Final = 10_000
"""Spans that lie deeper are left where they are: each level takes some 20 µs, and nobody's calls nest so deeply."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Hold what is known of each span and its parent that clocks are judged by.

    Attributes:
        parent: position of each span's parent.
        is_remote: another process made the parent.
        is_awaited: the parent waited for the answer.
    """

    parent: Indexes
    is_remote: npt.NDArray[np.bool_]
    is_awaited: npt.NDArray[np.bool_]


def calls(parent: Indexes, *, kind: npt.NDArray[np.int32], service: Indexes) -> Calls:
    """Return what kinds and services say of each span and its parent."""
    has_parent = parent != NOBODY
    above = np.where(has_parent, parent, 0)
    if not len(parent):
        empty = np.empty(0, dtype=bool)
        return Calls(parent=parent, is_remote=empty, is_awaited=empty)
    is_awaited = has_parent & (kind == SERVER) & (kind[above] == CLIENT)
    is_message = (kind == CONSUMER) & (kind[above] == PRODUCER)
    is_remote = has_parent & ((service != service[above]) | is_awaited | is_message)
    return Calls(parent=parent, is_remote=is_remote, is_awaited=is_awaited)


def corrections(
    call: Calls, levels: Iterable[npt.NDArray[np.int64]], *, start_ns: Nanoseconds, end_ns: Nanoseconds
) -> Nanoseconds:
    """Return by how much each span has to be moved; what its own process made below it moves with it.

    Args:
        call: who was called by whom.
        levels: the spans of each depth, roots first.
        start_ns: when each span began by its own clock.
        end_ns: when it ended, not before it began.
    """
    moved = np.zeros(len(start_ns), np.int64)
    for depth, spans in enumerate(levels):
        if depth == 0:
            continue
        if depth > LEVELS_MAX:
            break
        above = call.parent[spans]
        moved[spans] = moved[above]
        remote = spans[call.is_remote[spans]]
        if len(remote):
            moved[remote] = _remote(call, remote, start_ns=start_ns, end_ns=end_ns, moved=moved)
    return moved


def _remote(
    call: Calls,
    spans: npt.NDArray[np.int64],
    *,
    start_ns: Nanoseconds,
    end_ns: Nanoseconds,
    moved: Nanoseconds,
) -> Nanoseconds:
    above = call.parent[spans]
    began, ended = start_ns[above] + moved[above], end_ns[above] + moved[above]
    start, end = start_ns[spans], end_ns[spans]
    spare = (ended - began) - (end - start)
    must_fit = call.is_awaited[spans] & (spare >= 0)
    is_out = np.where(must_fit, (start < began) | (end > ended), start < began)
    return np.where(is_out, began + np.where(must_fit, spare // 2, 0) - start, 0)
