"""Calls between services, databases, caches, queues and whoever else is called, from a forest. It knows no time.

A call is counted once, by the span at its far end when there is one: the first span of another service below the
caller's. Where nobody at the far end sends telemetry, the caller's own span is the call, and what it says of its peer
names the node. Messages go by their queue: one edge into it, one out of it.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from homeostat_server.query.forest.clocks import CLIENT, CONSUMER, PRODUCER, SERVER
from homeostat_server.query.forest.forest import Forest
from homeostat_server.query.forest.identity import NOBODY
from homeostat_server.query.summaries.peers import EXTERNAL, MESSAGING, SERVICE, UNKNOWN, Peer, parse_peer

ERROR: Final = 2
"""OTLP's status."""

Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """Hold calls as they were seen, one entry a call: who called whom, and the span that stands for it."""

    caller: Codes
    callee: Codes
    is_async: Flags
    is_error: Flags
    span: Codes


@dataclass(frozen=True, slots=True)
class Peers:
    """Hold the nodes that there are, services first, and which one each span names as its peer (-1 for none)."""

    nodes: tuple[Peer, ...]
    of: Codes
    unknown: int

    def kinds(self) -> Codes:
        """Say of each node whether it is a queue."""
        return np.array([node.kind == MESSAGING for node in self.nodes], dtype=np.int64)


def find_peers(forest: Forest, words: tuple[bytes, ...], said: Codes) -> Peers:
    """Return the nodes of a forest.

    Args:
        forest: whose services are nodes.
        words: the different things that spans say of their peers.
        said: which of them each span says.
    """
    nodes: dict[Peer, int] = {Peer(SERVICE, name): number for number, name in enumerate(forest.services)}
    numbers = []
    for word in words:
        peer = parse_peer(word)
        numbers.append(NOBODY if peer is None else nodes.setdefault(peer, len(nodes)))
    unknown = nodes.setdefault(Peer(EXTERNAL, UNKNOWN), len(nodes))
    of = np.array(numbers, np.int64)[said] if len(said) else np.empty(0, np.int64)
    return Peers(tuple(nodes), of, unknown)


def observe(forest: Forest, peers: Peers, *, counted: Flags) -> Observed:
    """Return the calls of the spans that count."""
    is_remote = forest.calls.is_remote
    queue = np.zeros(len(peers.nodes) + 1, dtype=bool)
    queue[: len(peers.nodes)] = peers.kinds().astype(bool)
    names_queue = queue[peers.of]  # -1, for none, is the last one, which is no queue
    answered = np.zeros(len(forest), dtype=bool)
    answered[forest.parent[is_remote]] = True
    is_out = (forest.kind == CLIENT) | (forest.kind == PRODUCER)
    parts = (
        _across(forest, np.flatnonzero(counted & is_remote & ~((forest.kind == CONSUMER) & names_queue))),
        _received(forest, peers, np.flatnonzero(counted & (forest.kind == CONSUMER) & names_queue)),
        _sent(forest, peers, np.flatnonzero(counted & is_out & (names_queue | ~answered)), names_queue),
    )
    return Observed(
        caller=np.concatenate([part.caller for part in parts]),
        callee=np.concatenate([part.callee for part in parts]),
        is_async=np.concatenate([part.is_async for part in parts]),
        is_error=np.concatenate([part.is_error for part in parts]),
        span=np.concatenate([part.span for part in parts]),
    )


def _across(forest: Forest, spans: Codes) -> Observed:
    """Return calls of which both ends are here; one failed when either end says so."""
    above = forest.parent[spans]
    gave_up = (forest.kind[above] == CLIENT) & (forest.status[above] == ERROR)
    return Observed(
        caller=forest.service[above].astype(np.int64),
        callee=forest.service[spans].astype(np.int64),
        is_async=(forest.kind[spans] == CONSUMER) | (forest.kind[above] == PRODUCER),
        is_error=(forest.status[spans] == ERROR) | gave_up,
        span=spans,
    )


def _received(forest: Forest, peers: Peers, spans: Codes) -> Observed:
    return Observed(
        caller=peers.of[spans],
        callee=forest.service[spans].astype(np.int64),
        is_async=np.ones(len(spans), dtype=bool),
        is_error=forest.status[spans] == ERROR,
        span=spans,
    )


def _sent(forest: Forest, peers: Peers, spans: Codes, names_queue: Flags) -> Observed:
    named = peers.of[spans]
    return Observed(
        caller=forest.service[spans].astype(np.int64),
        callee=np.where(named == NOBODY, peers.unknown, named),
        is_async=(forest.kind[spans] == PRODUCER) | names_queue[spans],
        is_error=forest.status[spans] == ERROR,
        span=spans,
    )


def is_entry(forest: Forest) -> Flags:
    """Say which spans are what a service does because somebody else asked."""
    asked: Flags = (forest.kind == SERVER) | (forest.kind == CONSUMER)
    return asked
