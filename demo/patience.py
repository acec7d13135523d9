"""Asking again until the answer is good. It does not know what is asked."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

T = TypeVar("T")

_PAUSE_S: Final = 0.1


async def ask_until(good: Callable[[T], object], *, ask: Callable[[], Awaitable[T]], timeout_s: float) -> T:
    """Return the first good answer, or the last one of all when none is good in time."""
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = await ask()
        if good(answer) or time.monotonic() >= deadline_s:
            return answer
        await asyncio.sleep(_PAUSE_S)
