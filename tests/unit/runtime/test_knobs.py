import math

import pytest

from homeostat_server.exceptions import InvalidRequest, NotFound
from homeostat_server.runtime.knobs import Knob, Knobs


class Gathering:
    """Hold one number that a knob turns."""

    def __init__(self) -> None:
        self.value = 20.0

    def set(self, value: float) -> None:
        """Take the number."""
        self.value = value

    def knob(self, *, name: str = "spool_gather_ms", step: float = 5) -> Knob:
        """Return a knob on the number."""
        return Knob(
            name=name,
            help="How long requests gather.",
            unit="ms",
            minimum=5,
            maximum=100,
            step=step,
            cooldown_s=10,
            read=lambda: self.value,
            write=self.set,
        )


def test_a_knob_reads_and_sets_the_value_of_its_component() -> None:
    """Bounds are inclusive."""
    gathering = Gathering()
    knob = gathering.knob()
    knob.turn(100)
    assert (knob.read(), gathering.value) == (100, 100)


@pytest.mark.parametrize("value", [4.9, 100.1, math.nan, math.inf])
def test_a_knob_is_never_set_outside_its_bounds(value: float) -> None:
    """The component does not even see the value."""
    gathering = Gathering()
    with pytest.raises(InvalidRequest, match=r"Give 5 to 100 ms\."):
        gathering.knob().turn(value)
    assert gathering.value == 20.0


def test_a_knob_whose_step_exceeds_its_bounds_is_refused() -> None:
    """A knob that cannot be turned is a mistake at its declaration."""
    with pytest.raises(ValueError, match="make no sense"):
        Gathering().knob(step=96)


def test_knobs_are_found_by_name_and_listed_in_order() -> None:
    """One name is one knob."""
    knobs = Knobs()
    knobs.declare(Gathering().knob(name="b"))
    knobs.declare(Gathering().knob(name="a"))
    assert [knob.name for knob in knobs] == ["a", "b"]
    assert knobs.find("a").name == "a"


def test_a_knob_that_nobody_declared_is_not_found() -> None:
    """The error names those that there are."""
    knobs = Knobs()
    knobs.declare(Gathering().knob(name="a"))
    with pytest.raises(NotFound, match=r"There are: a\."):
        knobs.find("z")


def test_a_name_is_declared_once() -> None:
    """Two components cannot share a knob by accident."""
    knobs = Knobs()
    knobs.declare(Gathering().knob())
    with pytest.raises(ValueError, match="declared twice"):
        knobs.declare(Gathering().knob())
