"""A configured process: its parts, what was hooked into the program, and the hooks into forks, signals and the end.

Invariant: no method raises into the program, each may be called at any time, from any thread, and more than once. What
a program sees of it is `handle.Handle`.
"""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from opentelemetry.sdk.trace import SpanProcessor

from homeostat.integrations.applications import Applications
from homeostat.integrations.clients import Clients
from homeostat.integrations.late import Imports
from homeostat.integrations.libraries import Libraries
from homeostat.process.forks import ForkHooks, ForkWatch
from homeostat.process.termination import PATIENCE_S, Termination
from homeostat.sampling import RouteRule, SamplingConfig
from homeostat.settings.loading import Loaded, parsed
from homeostat.settings.rows import DEFAULT_ORIGIN
from homeostat.settings.table import SETTINGS_BY_NAME, Settings
from homeostat.start.assembly import Assembly, identify, renew

_LOG: Final = logging.getLogger("homeostat")

FLUSH_TIMEOUT_S: Final = 5.0
"""As long as the end of a process may take by default."""

IDENTIFYING: Final = ("service", "service_version", "service_namespace")
"""The settings that say who this is."""

Answer = TypeVar("Answer")


@dataclass(slots=True, kw_only=True)
class Instrumented:
    """Hold what was hooked into the program."""

    imports: Imports
    libraries: Libraries
    clients: Clients
    applications: Applications

    @property
    def names(self) -> tuple[str, ...]:
        """Return what is instrumented by now."""
        return (*self.applications.hooked, *self.libraries.instrumented, *self.clients.hooked)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Return what will be when the program imports it."""
        return (*self.libraries.waiting, *self.clients.waiting)


class Running:
    """Hold a configured process.

    Args:
        loaded: the settings and what was wrong with them.
        parts: what was built; None when the SDK is off or could not start, and every method then does nothing.
        instrumented: what was hooked into the program; None in the same cases.
    """

    def __init__(self, loaded: Loaded, *, parts: Assembly | None, instrumented: Instrumented | None) -> None:
        self._loaded = loaded
        self._parts = parts
        self._instrumented = instrumented
        self._ending = threading.Lock()
        self._has_ended = False
        self._problems = list(loaded.problems)
        budget_s = loaded.settings.exit_budget_s
        self._termination = Termination(save=self.shutdown, hasten=self._hasten, budget_s=budget_s)
        self._forks = ForkWatch(
            ForkHooks(
                before=self._before_fork,
                in_parent=self._after_fork_in_parent,
                in_child=self._after_fork_in_child,
                at_exit=self.shutdown,
            )
        )

    @property
    def settings(self) -> Settings:
        """Return the settings, each of which knows its origin."""
        return self._loaded.settings

    @property
    def problems(self) -> tuple[str, ...]:
        """Return a sentence for each thing that was wrong, in the order in which they were met."""
        return tuple(self._problems)

    @property
    def is_active(self) -> bool:
        """Say whether spans are recorded and sent."""
        return self._parts is not None and not self._has_ended

    @property
    def instance_id(self) -> str:
        """Return the `service.instance.id` of this very process; empty when the SDK is off."""
        return "" if self._parts is None else self._parts.identity.instance_id

    def flush(self, timeout_s: float = FLUSH_TIMEOUT_S) -> bool:
        """Send what waits, and wait for it; say whether all of it was delivered."""
        return self._guarded("flush", lambda parts: parts.exporting.flush(timeout_s), False)

    def shutdown(self, timeout_s: float | None = None) -> None:
        """Send what waits and end; spans that end later are dropped."""
        with self._ending:
            if self._has_ended or self._parts is None:
                return
            self._has_ended = True
        self._guarded("shutdown", lambda parts: _shut_down(parts, timeout_s), None)
        self._termination.stop()
        self._forks.stop()

    def instrument(self, app: Any) -> Any:  # noqa: ANN401 - any ASGI or WSGI application
        """Return an application that makes a span a request: the same object where it can be hooked in place."""
        hooked = self._instrumented
        if hooked is None:
            return app
        return self._guarded("instrument", lambda _: hooked.applications.wrap(app), app)

    def add_span_processor(self, processor: SpanProcessor) -> None:
        """Add a processor that sees every span that is recorded, after those that are there."""
        self._guarded("add_span_processor", lambda parts: parts.provider.add_span_processor(processor), None)

    def change_sampling(
        self,
        *,
        ratio: float | None = None,
        rules: Sequence[str] | None = None,
        keep_errors: bool | None = None,
        slow_s: float | None = None,
    ) -> bool:
        """Change how much is kept, from now on; what is not given stays. Say whether it was valid."""

        def change(parts: Assembly) -> bool:
            before: SamplingConfig = parts.sampling.config
            parts.sampling.change(
                replace(
                    before,
                    ratio=before.ratio if ratio is None else ratio,
                    rules=before.rules if rules is None else tuple(map(RouteRule.parse, rules)),
                    keep_errors=before.keep_errors if keep_errors is None else keep_errors,
                    slow_s=before.slow_s if slow_s is None else slow_s or None,
                )
            )
            return True

        return self._guarded("change_sampling", change, False)

    def identify(self, values: Mapping[str, object]) -> None:
        """Say who this is, as far as nobody has; spans that were not sent yet say it, too.

        Args:
            values: by setting name, of `IDENTIFYING`.
        """
        unsaid = {name: value for name, value in values.items() if self.settings.origin(name) == DEFAULT_ORIGIN}
        if unsaid:
            self._guarded("identify", lambda parts: self._identify(parts, unsaid), None)

    def tell(self, problem: str) -> None:
        """Add a problem and log it once, as a warning."""
        if problem not in self._problems:
            self._problems.append(problem)
            _LOG.warning("homeostat: %s", problem)

    def start_hooks(self) -> None:
        """Hook into forks and SIGTERM; called once, by the one who configures."""
        if self._parts is not None:
            self._forks.start()
            self._termination.start()

    @property
    def loaded(self) -> Loaded:
        """Return the settings with what was found while loading them."""
        return self._loaded

    @property
    def parts(self) -> Assembly | None:
        """Return what was built."""
        return self._parts

    @property
    def instrumented(self) -> Instrumented | None:
        """Return what was hooked into the program."""
        return self._instrumented

    def _guarded(self, what: str, act: Callable[[Assembly], Answer], otherwise: Answer) -> Answer:
        parts = self._parts
        if parts is None:
            return otherwise
        try:
            return act(parts)
        except Exception as error:
            self.tell(f"{what} failed: {type(error).__name__}: {error}")
            return otherwise

    def _identify(self, parts: Assembly, values: Mapping[str, object]) -> None:
        said = {name: parsed(SETTINGS_BY_NAME[name], value, "argument") for name, value in values.items()}
        origins = {**self.settings.origins, **{name: f"argument {name}" for name in said}}
        self._loaded = replace(self._loaded, settings=replace(self.settings, **said, origins=origins))
        identify(parts, self.settings)

    def _hasten(self) -> None:
        if not self._has_ended:
            self._guarded("save", lambda parts: parts.exporting.save(PATIENCE_S), None)

    def _before_fork(self) -> None:
        self._guarded("before_fork", lambda parts: parts.exporting.before_fork(), None)

    def _after_fork_in_parent(self) -> None:
        self._guarded("after_fork", lambda parts: parts.exporting.after_fork_in_parent(), None)

    def _after_fork_in_child(self) -> None:
        self._ending = threading.Lock()
        self._guarded("after_fork", renew, None)


def _shut_down(parts: Assembly, timeout_s: float | None) -> None:
    """End all parts, each within what the ones before have left of the time."""
    parts.sampling.shutdown()
    left_s = parts.budget.remaining_s()
    parts.exporting.shutdown(left_s if timeout_s is None else min(left_s, timeout_s))
    left_s = parts.budget.remaining_s()
    # Processors of the program: they may take the rest, and are left behind when they want more.
    ending = threading.Thread(target=parts.provider.shutdown, name="homeostat-shutdown", daemon=True)
    try:
        ending.start()
    except RuntimeError:  # the interpreter starts no threads any more
        parts.provider.shutdown()
    else:
        ending.join(left_s)
