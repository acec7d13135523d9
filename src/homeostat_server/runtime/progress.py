"""How far a long job is: a bar on a terminal, plain lines elsewhere. It does not know what the job does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from homeostat_server.runtime.clock import Clock, SystemClock

LINE_INTERVAL_S: Final = 5.0
"""Often enough to see that a job lives, seldom enough for a log."""


class Progress(Protocol):
    """Tell how far a job is."""

    def advance(self, amount: int = 1) -> None:
        """Say that so many more steps are done."""
        ...


@dataclass(slots=True, kw_only=True)
class _PlainLines:
    title: str
    total: int
    output: TextIO
    clock: Clock
    done: int = 0
    _next_line_s: float = field(default=float("-inf"))

    def advance(self, amount: int = 1) -> None:
        self.done += amount
        now_s = self.clock.monotonic_s()
        if now_s >= self._next_line_s or self.done == self.total:
            self._next_line_s = now_s + LINE_INTERVAL_S
            print(f"{self.title}: {self.done}/{self.total}", file=self.output, flush=True)


@contextmanager
def progress(title: str, *, total: int, output: TextIO, clock: Clock | None = None) -> Iterator[Progress]:
    """Show the progress of a job of `total` steps on `output` while the block runs."""
    if not output.isatty():
        yield _PlainLines(title=title, total=total, output=output, clock=clock or SystemClock())
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with RichProgress(*columns, console=Console(file=output)) as bar:
        task = bar.add_task(title, total=total)
        yield _Bar(bar, task)


class _Bar:
    def __init__(self, bar: RichProgress, task: TaskID) -> None:
        self._bar = bar
        self._task = task

    def advance(self, amount: int = 1) -> None:
        self._bar.advance(self._task, amount)
