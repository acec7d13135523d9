"""Components started in order and stopped in exact reverse. It does not know what a component does.

Invariant: whatever has started is stopped exactly once, also when a later component fails to start, or an earlier one
to stop. Each start and stop has a time budget; a stop that overruns is given up, so that those below it still stop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Self

_LOG: Final = logging.getLogger(__name__)

START_BUDGET_S: Final = 60.0
"""Longer than any recovery seen in tests; a start that hangs must end in an error that names the component."""

STOP_BUDGET_S: Final = 10.0
"""Three such components still fit in the 30 s that Kubernetes grants by default."""


async def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """Name something that is started and stopped, with the seconds that either may take."""

    name: str
    start: Callable[[], Awaitable[object]] = _nothing
    stop: Callable[[], Awaitable[object]] = _nothing
    start_budget_s: float = START_BUDGET_S
    stop_budget_s: float = STOP_BUDGET_S


def in_thread(function: Callable[[], object]) -> Callable[[], Awaitable[object]]:
    """Return a blocking start or stop as one that does not hold the event loop."""
    return lambda: asyncio.to_thread(function)


@dataclass(frozen=True, slots=True)
class Failure:
    """Tell which component did not stop as it should, and why (TimeoutError when it overran its budget)."""

    component: str
    error: Exception


class Lifecycle:
    """Start components in the order in which they were added, and stop them in exact reverse."""

    def __init__(self) -> None:
        """Begin with no components."""
        self._components: list[Component] = []
        self._started: list[Component] = []

    def add(self, component: Component) -> Self:
        """Put a component above those already there."""
        self._components.append(component)
        return self

    @property
    def started(self) -> tuple[str, ...]:
        """Return the names of what runs, in start order."""
        return tuple(component.name for component in self._started)

    async def start(self) -> None:
        """Start all; when one fails, stop those that had started and raise its error.

        Raises:
            TimeoutError: a component did not start within its budget; the message names it.
        """
        try:
            for component in self._components[len(self._started) :]:
                await self._start_one(component)
        except BaseException:
            await self.stop()
            raise

    async def _start_one(self, component: Component) -> None:
        budget = asyncio.timeout(component.start_budget_s)
        try:
            async with budget:
                await component.start()
        except TimeoutError as error:
            if not budget.expired():
                raise
            message = f"{component.name} did not start within {component.start_budget_s:g} s"
            raise TimeoutError(message) from error
        self._started.append(component)
        _LOG.debug("started %s", component.name)

    async def stop(self) -> tuple[Failure, ...]:
        """Stop what had started, in reverse, whatever fails on the way; return what failed."""
        failures = []
        while self._started:
            component = self._started.pop()
            try:
                async with asyncio.timeout(component.stop_budget_s):
                    await component.stop()
            except Exception as error:
                # A border: whatever this component does wrong, the ones below it have data to make durable.
                _LOG.exception("%s did not stop cleanly", component.name)
                failures.append(Failure(component.name, error))
            _LOG.debug("stopped %s", component.name)
        return tuple(failures)
