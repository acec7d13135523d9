"""One sampling a process: the decision at the beginning, the one at the end, and the plan that both read."""

import threading
import time
from collections.abc import Callable

from opentelemetry.sdk.trace import SpanProcessor

from homeostat.sampling import diversion
from homeostat.sampling.config import SamplingConfig
from homeostat.sampling.head import HeadSampler
from homeostat.sampling.plan import Current, plan_of
from homeostat.sampling.tail import SamplingStatistics, TailProcessor


class Sampling:
    """Decide which spans are kept, by a configuration that may change at any time."""

    def __init__(self, config: SamplingConfig | None = None, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with a configuration; without one, everything is kept."""
        self._clock = clock
        self._change = threading.Lock()
        self._current = Current(plan_of(config or SamplingConfig()))
        self._tail: TailProcessor | None = None
        self.sampler: HeadSampler = HeadSampler(self._current)
        diversion.join(self)

    @property
    def config(self) -> SamplingConfig:
        """Return the configuration that is in force."""
        return self._current.plan.config

    def change(self, config: SamplingConfig) -> None:
        """Take another configuration; spans that begin from now on see it.

        What a tail holds keeps the lot that it began with; whether it is kept for its own sake is asked of the new one.
        A decision that is being made at this moment uses one of the two whole.
        """
        with self._change:
            self._current.plan = plan_of(config, diverted=self._current.plan.diverted)

    def tail(self, following: SpanProcessor, *, weighs: bool = True) -> SpanProcessor:
        """Return the processor that stands before the export: one, made once.

        It is needed without a tail as well, because it weighs what is kept.

        Args:
            following: gets the spans that are kept.
            weighs: false where another's sampler decides at the beginning: what it left out is never seen here, so
                nothing is known of how many there were, and nothing is said about it.
        """
        self._tail = TailProcessor(following, current=self._current, clock=self._clock, weighs=weighs)
        return self._tail

    def keeps(self, *, error: bool, duration_s: float) -> bool:
        """Say whether a span that nobody recorded is to be kept for its own sake, now that its end is known."""
        return self._current.plan.keeps(error=error, duration_s=duration_s)

    def divert(self, to: SpanProcessor | None) -> None:
        """Send all spans to another processor and keep each; None to go on as configured. For tests."""
        with self._change:
            self._current.plan = plan_of(self._current.plan.config, diverted=to)

    def statistics(self) -> SamplingStatistics:
        """Return what the tail decided and holds."""
        return SamplingStatistics() if self._tail is None else self._tail.statistics()

    def shutdown(self) -> None:
        """Decide on everything that is held; what is kept has been passed on when this returns."""
        if self._tail is not None:
            self._tail.drain()

    def after_fork_in_child(self) -> None:
        """Forget what the parent process holds."""
        self._change = threading.Lock()
        if self._tail is not None:
            self._tail.after_fork_in_child()
