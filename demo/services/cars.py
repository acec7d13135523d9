"""The cars there are, and which of them are slow to price or have no price at all. The same in every run."""

from typing import Final

COUNT: Final = 40

WITHOUT_PRICE: Final = 7
"""Pricing fails for this one: a model year that its table does not have."""

_IMPORTED_EVERY: Final = 13
_MODELS: Final = ("Kestrel 1.6", "Kestrel Estate", "Merlin GT", "Heron Van", "Wren EV")


def is_imported(number: int) -> bool:
    """Say whether the car needs the customs tariff, which is slow to read."""
    return number % _IMPORTED_EVERY == 0


def model(number: int) -> str:
    """Return what the car is called."""
    return _MODELS[number % len(_MODELS)]


def list_price_eur(number: int) -> int:
    """Return what the car costs before any discount."""
    return 6_900 + (number * 7_919) % 30_000
