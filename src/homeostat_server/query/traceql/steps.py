"""The steps of a metric: stretches of equal length over a window. It knows no spans."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.exceptions import InvalidRequest, QueryLimit
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.traceql.window_parameters import stretch
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter

STEPS_MAX: Final = 11_000
"""As many as Prometheus gives."""

_NS_PER_MS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Steps:
    """Hold where steps begin and how long they are.

    Attributes:
        window: what counts.
        origin_ns: where the first step begins, at or before the window.
        step_ns: how long each is.
        is_whole: whether the window is one step, told by its end.
    """

    window: Window
    origin_ns: int
    step_ns: int
    is_whole: bool = False

    @classmethod
    def of(cls, window: Window, step_ns: int) -> "Steps":
        """Return the steps of a length, which begin at multiples of it.

        Raises:
            InvalidRequest: the length is none.
            QueryLimit: there would be too many.
        """
        if step_ns < 1:
            raise InvalidRequest("use a step", value=step_ns, hint="It is longer than nothing.")
        steps = cls(window, window.start_ns - window.start_ns % step_ns, step_ns)
        if steps.count > STEPS_MAX:
            raise QueryLimit(
                "measure in steps", value=f"{steps.count} steps", hint=f"At most {STEPS_MAX}: take longer ones."
            )
        return steps

    @classmethod
    def whole(cls, window: Window) -> "Steps":
        """Return the window as one step."""
        return cls(window, window.start_ns, window.end_ns - window.start_ns, is_whole=True)

    def parameters(self) -> dict[str, Parameter]:
        """Return the parameters of the window and of its steps."""
        return {
            **stretch(self.window.start_ns, self.window.last_ns),
            "origin_ns": self.origin_ns,
            "step_ns": self.step_ns,
        }

    @property
    def count(self) -> int:
        """Return how many there are."""
        return (self.window.last_ns - self.origin_ns) // self.step_ns + 1

    @property
    def step_s(self) -> float:
        """Return how long each is in seconds."""
        return self.step_ns / NS_PER_S

    def time_ms(self, step: int) -> int:
        """Return by which moment a step is told."""
        moment_ns = self.window.end_ns if self.is_whole else self.origin_ns + step * self.step_ns
        return moment_ns // _NS_PER_MS
