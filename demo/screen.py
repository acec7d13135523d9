"""What the demo says: calm lines, and where it is on a terminal, one line that moves. It does not know what is said."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from rich.console import Console

LINE_INTERVAL_S: Final = 5.0
"""Often enough to see that the demo lives, seldom enough for a log."""


class Screen:
    """Print to a terminal or to anything else."""

    def __init__(self, output: TextIO, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        """Take where to print to, and a clock."""
        self._monotonic_s = monotonic_s
        # Lines are pasted elsewhere: nothing may break or colour them.
        self._console = Console(file=output, soft_wrap=True, highlight=False, markup=False, emoji=False)

    def say(self, *lines: str) -> None:
        """Print lines."""
        for line in lines:
            self._console.print(line)
        self._console.file.flush()

    @contextmanager
    def moving(self, first: str) -> Iterator[Callable[[str], None]]:
        """Show one line that changes while the block runs; where it cannot move, print it now and then."""
        if self._console.is_terminal:
            with self._console.status(first) as status:
                yield status.update
            return
        yield self._seldom()

    def _seldom(self) -> Callable[[str], None]:
        next_s = self._monotonic_s() + LINE_INTERVAL_S

        def update(line: str) -> None:
            nonlocal next_s
            if self._monotonic_s() >= next_s:
                next_s = self._monotonic_s() + LINE_INTERVAL_S
                self.say(line)

        return update
