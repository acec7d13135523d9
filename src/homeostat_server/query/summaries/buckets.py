"""Stretches of five minutes from the first second of an hour on, and the windows that they make up."""

from collections.abc import Iterator
from typing import Final

from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.window import Window

BUCKET_S: Final = 300
BUCKET_NS: Final = BUCKET_S * NS_PER_S

EXACT_NS_MAX: Final = 900 * NS_PER_S
"""Longer windows are made of whole buckets: what lies outside of them would be computed for every question."""


def whole(window: Window) -> Window:
    """Return the window as it is answered: one that is longer than a quarter of an hour is widened to whole buckets."""
    if window.end_ns - window.start_ns <= EXACT_NS_MAX:
        return window
    return Window(window.start_ns // BUCKET_NS * BUCKET_NS, -(-window.end_ns // BUCKET_NS) * BUCKET_NS)


def before(window: Window) -> Window | None:
    """Return the window of the same length before one, None when there is none."""
    length = window.end_ns - window.start_ns
    return Window(window.start_ns - length, window.start_ns) if window.start_ns >= length else None


def bucket_of(start_s: int) -> Window:
    """Return the bucket that begins at a Unix time."""
    return Window(start_s * NS_PER_S, (start_s + BUCKET_S) * NS_PER_S)


def starts(window: Window) -> Iterator[int]:
    """Yield when each bucket begins that a window touches."""
    first = window.start_ns // BUCKET_NS * BUCKET_S
    yield from range(first, window.last_ns // NS_PER_S + 1, BUCKET_S)
