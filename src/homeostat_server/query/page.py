"""One page of a list and where the next one begins. It does not know how a place travels to the caller and back."""

from dataclasses import dataclass
from typing import Generic, TypeVar

ItemT = TypeVar("ItemT")
PlaceT = TypeVar("PlaceT")


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT, PlaceT]):
    """Hold some items in order; `next_place` is where to go on, None at the end of the list."""

    items: tuple[ItemT, ...]
    next_place: PlaceT | None
