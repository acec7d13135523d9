"""Asking a platform the questions: warm, cold, and how much of the data was looked at. It knows no question."""

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks.platform_process import Setup, running
from benchmarks.traces.client import Answered, Asked, Client
from benchmarks.traces.questions import Question
from benchmarks.traces.subjects import Subjects

_OK: Final = 200
_WARM_SHARE: Final = 0.3
_WARM_MIN: Final = 3
_READ_BYTES: Final = 1 << 22


@dataclass(frozen=True, slots=True)
class Answers:
    """Hold what came of a question that was asked many times."""

    answers: Sequence[Answered]

    @property
    def failed(self) -> Sequence[Answered]:
        """Return those that were no answers."""
        return [answer for answer in self.answers if answer.status != _OK]

    def percentile_ms(self, share: float) -> float:
        """Return the milliseconds that this share of the answers took at most; there is at least one."""
        ordered = sorted(answer.milliseconds for answer in self.answers if answer.status == _OK)
        return ordered[math.ceil(share * len(ordered)) - 1]

    def median_of(self, *path: str) -> float | None:
        """Return the median of a number that all answers carry, None when one does not."""
        found = [_number(answer.document(), path) for answer in self.answers]
        return None if None in found else median(number for number in found if number is not None)


def ask_warm(client: Client, question: Question, subjects: Subjects, *, rounds: int) -> Answers:
    """Return the answers to other questions of the kind after some that do not count."""
    count = max(2, round(rounds * question.rounds))
    for _ in range(max(_WARM_MIN, round(count * _WARM_SHARE))):
        client.ask(question.make(subjects))
    return Answers([client.ask(question.make(subjects)) for _ in range(count)])


def ask_cold(data: Path, asked: Sequence[Asked]) -> Answers:
    """Return the first answers of processes that were just started, with no page of the data in memory."""
    return Answers([_cold(data, one) for one in asked])


def _cold(data: Path, asked: Asked) -> Answered:
    drop_pages(data)
    with running(Setup(data=data)) as platform:
        drop_pages(data)
        client = Client(platform.http_port)
        answered = client.ask(asked)
        client.close()
    return answered


def read_pages(data: Path) -> None:
    """Read all files once, so that the kernel has their pages."""
    for path in _files(data):
        with path.open("rb") as file:
            while file.read(_READ_BYTES):
                pass


def drop_pages(data: Path) -> None:
    """Let the kernel forget the pages of all files."""
    for path in _files(data):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _files(data: Path) -> Iterator[Path]:
    return (path for path in (data / "telemetry" / "store").rglob("*") if path.is_file())


def _number(document: dict[str, Any], path: Sequence[str]) -> float | None:
    found: object = document
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return float(found) if isinstance(found, int | float) else None
