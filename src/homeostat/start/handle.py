"""What `configure()` gives back: a way to flush, to shut down, to hook applications and to see what there is.

Invariant: no method raises into the program, each may be called at any time, from any thread, and more than once.
"""

from collections.abc import Sequence
from typing import Any

from opentelemetry.sdk.trace import SpanProcessor

from homeostat.settings.table import Settings
from homeostat.start.running import FLUSH_TIMEOUT_S, Running


class Handle:
    """Hold a configured process. `configure()` makes it."""

    def __init__(self, running: Running) -> None:
        self._running = running

    @property
    def settings(self) -> Settings:
        """Return the settings, each of which knows its origin."""
        return self._running.settings

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each thing that was wrong, in the order in which they were met."""
        return self._running.problems

    @property
    def is_active(self) -> bool:
        """Say whether spans are recorded and sent."""
        return self._running.is_active

    @property
    def instance_id(self) -> str:
        """Return the `service.instance.id` of this very process; empty when Homeostat is off."""
        return self._running.instance_id

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Send what waits, and wait for it; say whether all of it was delivered.

        What was not is not lost: it waits in the buffer and is sent later.

        Args:
            timeout_s: how long to wait, in seconds.
        """
        return self._running.flush(timeout_s)

    def shutdown(self, timeout_s: float | None = None) -> None:
        """Send what waits and end; spans that end later are dropped. Called by itself when the process ends.

        Args:
            timeout_s: how long that may take, in seconds; what is left of the exit budget when not given.
        """
        self._running.shutdown(timeout_s)

    def instrument(self, app: Any) -> Any:  # noqa: ANN401 - any ASGI or WSGI application
        """Return an application that makes a span a request: the same object where it can be hooked in place.

        Args:
            app: a FastAPI, Starlette or Flask application, which is hooked in place; or any ASGI or WSGI callable,
                which is wrapped.
        """
        return self._running.instrument(app)

    def add_span_processor(self, processor: SpanProcessor) -> None:
        """Add a processor that sees every span that is recorded, after those that are there.

        Its `shutdown` is called when the process ends. What it raises is caught.
        """
        self._running.add_span_processor(processor)

    def change_sampling(
        self,
        *,
        ratio: float | None = None,
        rules: Sequence[str] | None = None,
        keep_errors: bool | None = None,
        slow_s: float | None = None,
    ) -> bool:
        """Change how much is kept, from now on and in this process; what is not given stays. Say whether it was valid.

        Args:
            ratio: share of traces kept, 0 to 1.
            rules: shares for routes, such as `("GET /health=0",)`.
            keep_errors: keep every request that ended in an error.
            slow_s: keep every request that took so many seconds; 0 for none.
        """
        return self._running.change_sampling(ratio=ratio, rules=rules, keep_errors=keep_errors, slow_s=slow_s)
