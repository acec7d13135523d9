"""Attribute values as the SDK keeps them: copied, immutable, bounded.

The usual case - a few strings and numbers - is one copy of a dict; only what is none of them takes the SDK's own, slow
way (`BoundedAttributes`), so that every kind of value means here what it means there.
"""

from collections.abc import Mapping
from typing import Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.util.types import AnyValue

PLAIN: Final = frozenset({str, int, float, bool})
"""Types whose values are kept as they are. Subclasses are not among them: they may be mutable, or lie."""


class Bounds:
    """How many attributes there may be, and how long their strings; `None` is no bound."""

    __slots__ = ("count_max", "length_max")

    def __init__(self, count_max: int | None, length_max: int | None) -> None:
        self.count_max: int = count_max if count_max is not None else 1 << 62
        self.length_max: int | None = length_max


def cleaned(attributes: Mapping[str, AnyValue], bounds: Bounds) -> tuple[dict[str, AnyValue], int]:
    """Copy attributes.

    Returns:
        the copy, and how many were dropped: over the bound, or with a key that is no text. What is None says nothing
        and is left out.
    """
    if (
        bounds.length_max is None
        and len(attributes) <= bounds.count_max
        and PLAIN.issuperset(map(type, attributes.values()))
        and all(attributes)
    ):
        return dict(attributes), 0
    return _cleaned_one_by_one(attributes, bounds)


def cleaned_value(key: str, value: AnyValue, bounds: Bounds) -> tuple[AnyValue, bool]:
    """Return a value as it is kept, and whether it may be kept under this key."""
    kept = BoundedAttributes(attributes={key: _shortened(value, bounds)}, max_value_len=bounds.length_max)
    return (kept[key], True) if key in kept else (None, False)


def _cleaned_one_by_one(attributes: Mapping[str, AnyValue], bounds: Bounds) -> tuple[dict[str, AnyValue], int]:
    kept: dict[str, AnyValue] = {}
    absent = 0
    for key, value in attributes.items():
        if value is None:
            absent += 1
            continue
        if len(kept) >= bounds.count_max:
            continue
        if value.__class__ in PLAIN and key.__class__ is str and key:
            kept[key] = _shortened(value, bounds)
            continue
        clean, good = cleaned_value(key, value, bounds)
        if good:
            kept[key] = clean
    return kept, len(attributes) - len(kept) - absent


def _shortened(value: AnyValue, bounds: Bounds) -> AnyValue:
    # Here and not in BoundedAttributes, which logs a warning for each value that it shortens.
    if bounds.length_max is not None and isinstance(value, str):
        return value[: bounds.length_max]
    return value
