"""Wait for something outside this process. Inside it, pass a clock or wait for an event instead."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PAUSE_S: Final = 0.01


def until(condition: Callable[[], T | None], *, timeout_s: float = 30.0, what: str = "") -> T:
    """Return the first true answer of a condition; fail with its name after the time-out."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            message = f"{what or condition} did not come true in {timeout_s:g} s"
            raise TimeoutError(message)
        time.sleep(_PAUSE_S)
