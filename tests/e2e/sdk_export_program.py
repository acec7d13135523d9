"""A service for the tests of the export: it ends numbered spans when it is told to, one line a wish, one a reply."""

import json
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial

import opentelemetry.trace

import homeostat
from homeostat.start.configuration import running_process

HANDLES = "EXPORT_TEST_HANDLES_SIGTERM"
"""Set where the program ends by itself at SIGTERM, and without a word."""


class Numbered:
    """End spans whose names are their numbers."""

    def __init__(self, first: int) -> None:
        """Begin with a number."""
        self._tracer = opentelemetry.trace.get_tracer("numbered")
        self._next = first
        self._pause = threading.Event()

    def end(self, count: int) -> None:
        """End so many spans."""
        for _ in range(count):
            self._tracer.start_span(f"span {self._next}", attributes={"number": self._next}).end()
            self._next += 1

    def end_steadily(self, count: int, per_s: float) -> None:
        """End so many spans, spread evenly over time."""
        began_s = time.monotonic()
        for number in range(count):
            self._pause.wait(max(0.0, began_s + number / per_s - time.monotonic()))
            self.end(1)

    def end_in_fork(self, count: int) -> None:
        """End them in a child."""
        child_that(lambda: self.end(count))
        self._next += count

    def end_in_pool(self, count: int) -> None:
        """End them in a child of `multiprocessing`."""
        child = multiprocessing.get_context("fork").Process(target=self.end, args=(count,))
        child.start()
        child.join()
        self._next += count


def main() -> None:
    """Do what the lines say until there are none."""
    if os.environ.get(HANDLES):
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    handle = homeostat.configure("export-test", greeting="off")
    numbered = Numbered(int(sys.argv[1]))
    wishes: dict[str, Callable[..., object]] = {
        "end": numbered.end,
        "steadily": numbered.end_steadily,
        "fork": numbered.end_in_fork,
        "pool": numbered.end_in_pool,
        "storm": storm,
        "flush": handle.flush,
        "statistics": statistics,
    }
    reply("ready")
    for line in sys.stdin:
        wish, *numbers = line.split()
        reply(wishes[wish](*(float(number) if "." in number else int(number) for number in numbers)))


def statistics() -> dict[str, object]:
    """Return what became of spans so far."""
    running = running_process()
    assert running is not None
    assert running.parts is not None
    found = running.parts.exporting.statistics()
    told = {"sent": found.sent, "dropped": dict(found.dropped), "bytes": found.backlog_bytes}
    return told | {"breaker": found.breaker, "accepted": found.accepted, "spooled": found.spooled}


def child_that(work: Callable[[], object]) -> None:
    """Let a forked child do something and leave as any program does."""
    pid = os.fork()
    if pid == 0:
        work()
        sys.stdin.close()
        sys.exit(0)
    assert os.waitpid(pid, 0)[1] == 0


class Storm:
    """End spans in threads until it is over, and remember their numbers."""

    def __init__(self, threads: int) -> None:
        """Begin."""
        self._tracer = opentelemetry.trace.get_tracer("storm")
        self._is_over, self._pause = threading.Event(), threading.Event()
        self.ended: list[int] = []
        self._threads = [threading.Thread(target=self._blow, args=(thread * 1_000_000,)) for thread in range(threads)]
        for thread in self._threads:
            thread.start()

    def end(self, number: int) -> None:
        """End a span."""
        self._tracer.start_span(f"span {number}").end()

    def end_all(self, numbers: range) -> None:
        """End spans."""
        for number in numbers:
            self.end(number)

    def calm(self) -> list[int]:
        """Let it be over, and return the numbers."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()
        return self.ended

    def _blow(self, number: int) -> None:
        while not self._is_over.is_set():
            self.end(number)
            self.ended.append(number)
            number += 1
            self._pause.wait(0.0005)


def storm(children: int, spans: int) -> list[int]:
    """Fork children one after the other while threads end spans; return the numbers of all spans of all of them."""
    blowing = Storm(threads=4)
    for child in range(children):
        numbers = range(10_000_000 + child * spans, 10_000_000 + (child + 1) * spans)
        child_that(partial(blowing.end_all, numbers))
        blowing.ended.extend(numbers)
    return blowing.calm()


def reply(answer: object) -> None:
    """Say one line."""
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
