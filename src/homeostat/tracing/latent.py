"""A span that is not recorded unless it turns out that it should have been.

Sampling decides at the start, when nothing is known yet. A latent span records nothing and costs almost nothing; if it
ends in an error, or later than it may, it becomes a real one with the same identifiers and its real start.
"""

from collections.abc import Callable, Mapping
from time import time_ns
from typing import Final, Protocol

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode
from opentelemetry.util.types import AnyValue, Attributes

ATTRIBUTES_MAX: Final = 128
"""As many as a recorded span may have by default."""


class Keeper(Protocol):
    """Who decides, when a latent span ends, and who makes it real: its tracer."""

    def wants(self, latent: "LatentSpan", end_time: int, /) -> bool:
        """Tell whether the span is kept after all."""
        ...

    def make_real(self, latent: "LatentSpan", end_time: int, /) -> None:
        """Make the span real, with its end in nanoseconds since 1970."""


class LatentSpan(NonRecordingSpan):
    """Stand for a span that sampling refused: `is_recording()` is false, context travels as usual."""

    def __init__(
        self,
        context: SpanContext,
        name: str,
        parent: SpanContext | None,
        kind: SpanKind,
        start_time: int,
        attributes: Attributes | Callable[[], dict[str, AnyValue]],
        parent_context: Context,
        keeper: Keeper,
    ) -> None:
        self._context = context
        self.name: str = name
        self.parent: SpanContext | None = parent
        self.kind: SpanKind = kind
        self.start_time: int = start_time
        self.given: Attributes | Callable[[], dict[str, AnyValue]] = attributes
        self.parent_context: Context = parent_context
        self._keeper: Keeper | None = keeper
        self.added: dict[str, AnyValue] | None = None
        self.error: BaseException | None = None
        self.status: Status | None = None

    @property
    def failed(self) -> bool:
        """Tell whether an error was told so far; an exception that was only recorded is none, as on a sampled span."""
        return self.status is not None and self.status.status_code is StatusCode.ERROR

    def set_attribute(self, key: str, value: AnyValue) -> None:
        """Remember an attribute, in case the span becomes real."""
        if self.added is None:
            self.added = {}
        if len(self.added) < ATTRIBUTES_MAX:
            self.added[key] = value

    def set_attributes(self, attributes: Mapping[str, AnyValue]) -> None:
        """Remember attributes, in case the span becomes real."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def update_name(self, name: str) -> None:
        """Change the name that the span would have."""
        self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Remember the status; an error makes the span worth keeping. OK, once said, stays."""
        if self.status is None or self.status.status_code is not StatusCode.OK:
            self.status = status if isinstance(status, Status) else Status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,  # noqa: ARG002  # the interface's signature
        timestamp: int | None = None,  # noqa: ARG002  # the same
        escaped: bool = False,  # noqa: ARG002  # the same
    ) -> None:
        """Remember the last exception, in case the span becomes real."""
        self.error = exception

    def end(self, end_time: int | None = None) -> None:
        """End the span: it is forgotten, or it becomes real."""
        ended = time_ns() if end_time is None else end_time
        keeper = self._keeper
        if keeper is not None and not self.forget(ended):
            self._keeper = None
            keeper.make_real(self, ended)
            self.error = None  # an exception holds the frames it went through

    def forget(self, end_time: int) -> bool:
        """End the span if nothing about it is worth keeping, and tell whether that is so.

        Who would say more on the span at its end asks first, and spares itself that.
        """
        keeper = self._keeper
        if keeper is None:
            return True
        if keeper.wants(self, end_time):
            return False
        self._keeper = None
        return True
