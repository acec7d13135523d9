"""Methods of libraries that are replaced while an integration is installed; it knows no library.

Invariant: installing twice is installing once, and after taking it back the library does what it did before, also where
somebody else has put something on top in between.
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from homeostat.integrations.messaging import Messaging

Replacement = Callable[..., Any]
"""Takes the messaging, the original, and what the original takes; coroutine functions for coroutine functions."""


class Patches:
    """Hold what one integration has replaced."""

    def __init__(self) -> None:
        self._messaging: Messaging | None = None
        self._replaced: dict[tuple[object, str], tuple[object, object]] = {}

    @property
    def messaging(self) -> Messaging | None:
        """Return what the integration makes spans with, None while it is not installed."""
        return self._messaging

    def start(self, messaging: Messaging) -> bool:
        """Begin to be installed; return False where it is already, and then only what makes the spans is changed."""
        started = self._messaging is None
        self._messaging = messaging
        return started

    def replace(self, owner: object, name: str, replacement: Replacement) -> None:
        """Put something in place of a method or function, once."""
        if (owner, name) in self._replaced:
            return
        original = getattr(owner, name)
        dispatching = self._dispatching(original, replacement)
        self._replaced[owner, name] = (vars(owner).get(name, _INHERITED), dispatching)
        setattr(owner, name, dispatching)

    def restore(self) -> None:
        """Put everything back; what has something else on top by now stays, and passes calls through."""
        self._messaging = None
        for (owner, name), (original, dispatching) in tuple(self._replaced.items()):
            if vars(owner).get(name) is not dispatching:
                continue
            if original is _INHERITED:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
            del self._replaced[owner, name]

    def _dispatching(self, original: Callable[..., Any], replacement: Replacement) -> Callable[..., Any]:
        if inspect.iscoroutinefunction(original):

            @functools.wraps(original)
            async def dispatch_async(*arguments: Any, **named: Any) -> Any:
                messaging = self._messaging
                if messaging is None:
                    return await original(*arguments, **named)
                return await replacement(messaging, original, *arguments, **named)

            return dispatch_async

        @functools.wraps(original)
        def dispatch(*arguments: Any, **named: Any) -> Any:
            messaging = self._messaging
            if messaging is None:
                return original(*arguments, **named)
            return replacement(messaging, original, *arguments, **named)

        return dispatch


_INHERITED = object()


def belongs_to(function: object, library: str) -> bool:
    """Say whether a callback is the library's own, which is no work of the program."""
    module = getattr(inspect.unwrap(function) if callable(function) else function, "__module__", None) or ""
    return module == library or module.startswith(f"{library}.")
