"""What a span says of the other end of its call, as a node of the service map. It knows words, no spans."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SEPARATOR: Final = b"\x1f"

SERVICE: Final = b"service"
DATABASE: Final = b"database"
CACHE: Final = b"cache"
MESSAGING: Final = b"messaging"
EXTERNAL: Final = b"external"

UNKNOWN: Final = b"unknown"
"""The name of whoever was called when the span does not say."""

CACHES: Final = frozenset({b"redis", b"memcached", b"valkey", b"keydb", b"dragonfly", b"hazelcast", b"ehcache"})


@dataclass(frozen=True, slots=True)
class Peer:
    """Hold the kind and the name of a node."""

    kind: bytes
    name: bytes


def parse_peer(said: bytes) -> Peer | None:
    """Return the node that a span's words (`sql.PEER`) stand for, None when it says nothing."""
    if not said:
        return None
    mark, *values = said.split(_SEPARATOR)
    if mark == MESSAGING:
        system, destination = _padded(values, 2)
        return Peer(MESSAGING, b"/".join(word for word in (system, destination) if word) or UNKNOWN)
    if mark == DATABASE:
        service, system, address, namespace = _padded(values, 4)
        return Peer(CACHE if system in CACHES else DATABASE, service or _database(system, address, namespace))
    service, address, rpc = _padded(values, 3)
    return Peer(EXTERNAL, service or address or rpc or UNKNOWN)


def _padded(values: Sequence[bytes], count: int) -> Sequence[bytes]:
    """Return so many words: a value may hold the separator itself."""
    return [*values[:count], *[b""] * (count - len(values))]


def _database(system: bytes, address: bytes, namespace: bytes) -> bytes:
    place = b"/".join(word for word in (address, namespace) if word)
    return system + b"://" + place if place else system or UNKNOWN
