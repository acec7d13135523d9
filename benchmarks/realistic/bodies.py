"""Bodies: how items of many instances are gathered into export requests, and the request templates themselves.

Invariant: knows that an item has an instance and a place in time, not what it says. `sdk` bodies carry one instance;
`collector` bodies carry the instances of one node, as an agent Collector's batch processor sends them.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.realistic.fleet import Instance
from benchmarks.realistic.slots import BodyTemplate, Scratch, Sections, VarintFinder

Style = Literal["sdk", "collector"]
STYLES: Final[tuple[Style, ...]] = ("sdk", "collector")


@dataclass(frozen=True)
class Body:
    """Hold one serialized export request and the number of its spans, records or points."""

    data: bytes
    items: int


@dataclass(frozen=True)
class Draft:
    """Hold one serialized request that still shows its sentinels."""

    data: bytes
    items: int
    written: int


@dataclass(frozen=True)
class Batch:
    """Hold the compiled bodies of one round."""

    templates: tuple[BodyTemplate, ...]
    counters: NDArray[np.bool_]
    """One entry a two-byte varint of the bodies: whether it is a counter's value, not a size."""

    def scratch(self) -> Scratch:
        """Return a buffer that holds the largest body."""
        return Scratch(max(len(template.data) for template in self.templates))


def compile_drafts(drafts: Sequence[Draft], sections: Sections, varint_keys: Mapping[str, bool]) -> Batch:
    """Find the slots of all drafts; of an attribute with a two-byte varint it is told whether it is a counter."""
    finder = VarintFinder(tuple(varint_keys))
    templates = tuple(
        BodyTemplate.of(draft.data, items=draft.items, written=draft.written, sections=sections, varints=finder)
        for draft in drafts
    )
    return Batch(templates, np.array([varint_keys[key] for key in finder.found], np.bool_))


def gather(
    instances: Sequence[Instance], times: Sequence[float], *, items_per_body: int, style: Style
) -> list[list[int]]:
    """Return the item numbers of each body, bodies in the order in which they would be sent."""
    queues: dict[Hashable, list[int]] = {}
    full: list[list[int]] = []
    for item in np.argsort(np.asarray(times), kind="stable").tolist():
        instance = instances[item]
        key: Hashable = instance if style == "sdk" else instance.host
        queue = queues.setdefault(key, [])
        queue.append(item)
        if len(queue) == items_per_body:
            full.append(queues.pop(key))
    return full + list(queues.values())


def by_instance_and_scope(
    members: Sequence[int], instances: Sequence[Instance], scopes: Sequence[tuple[str, str]]
) -> dict[Instance, dict[tuple[str, str], list[int]]]:
    """Group the items of a body as a request nests them."""
    groups: dict[Instance, dict[tuple[str, str], list[int]]] = {}
    for item in members:
        groups.setdefault(instances[item], {}).setdefault(scopes[item], []).append(item)
    return groups
