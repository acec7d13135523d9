"""Bounded tunables that components declare. It does not know who turns them or why.

Invariant: a knob is never set outside its bounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from homeostat_server.exceptions import InvalidRequest, NotFound


@dataclass(frozen=True, slots=True, kw_only=True)
class Knob:
    """Describe a tunable: bounds are inclusive, `step` is the smallest change that makes sense, in the same unit."""

    name: str
    help: str
    unit: str
    minimum: float
    maximum: float
    step: float
    cooldown_s: float
    read: Callable[[], float]
    write: Callable[[float], None]

    def __post_init__(self) -> None:
        """Refuse a knob that could not be turned."""
        if not (self.minimum < self.maximum and 0 < self.step <= self.maximum - self.minimum and self.cooldown_s >= 0):
            message = f"the bounds, step or cool-down of the knob {self.name} make no sense"
            raise ValueError(message)

    def turn(self, value: float) -> None:
        """Set the value.

        Raises:
            InvalidRequest: the value is outside the bounds (or not a number).
        """
        if not self.minimum <= value <= self.maximum:
            raise InvalidRequest(
                f"turn the knob {self.name}",
                value=value,
                hint=f"Give {self.minimum:g} to {self.maximum:g} {self.unit}.",
            )
        self.write(value)


class Knobs:
    """Hold the knobs of one process by name."""

    def __init__(self) -> None:
        """Begin with none."""
        self._by_name: dict[str, Knob] = {}

    def declare(self, knob: Knob) -> None:
        """Add a knob; its name must be new."""
        if knob.name in self._by_name:
            message = f"the knob {knob.name} is declared twice"
            raise ValueError(message)
        self._by_name[knob.name] = knob

    def find(self, name: str) -> Knob:
        """Return the knob of this name.

        Raises:
            NotFound: no component declared it.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise NotFound("find a knob", value=name, hint=f"There are: {', '.join(sorted(self._by_name))}.") from None

    def __iter__(self) -> Iterator[Knob]:
        """Yield the knobs by name."""
        return iter(sorted(self._by_name.values(), key=lambda knob: knob.name))
