"""A service for the tests of the export: it ends numbered spans when it is told to, one line a wish, one a reply."""

import json
import multiprocessing
import os
import sys
import threading
import time

import opentelemetry.trace

import homeostat
from homeostat.start.configuration import running_process


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

    def skip(self, count: int) -> None:
        """Leave numbers to another process."""
        self._next += count


def main() -> None:
    """Do what the lines say until there are none."""
    handle = homeostat.configure("export-test", greeting="off")
    numbered = Numbered(int(sys.argv[1]))
    reply("ready")
    for line in sys.stdin:
        wish, *numbers = line.split()
        count = int(float(numbers[0])) if numbers else 0
        match wish:
            case "end":
                numbered.end(count)
            case "steadily":
                numbered.end_steadily(count, float(numbers[1]))
            case "fork":
                fork(numbered, count)
            case "pool":
                child = multiprocessing.get_context("fork").Process(target=numbered.end, args=(count,))
                child.start()
                child.join()
                numbered.skip(count)
            case "flush":
                reply(str(handle.flush(float(numbers[0]))))
                continue
            case "statistics":
                running = running_process()
                assert running is not None
                assert running.parts is not None
                found = running.parts.exporting.statistics()
                told = {"sent": found.sent, "dropped": dict(found.dropped), "bytes": found.backlog_bytes}
                reply(json.dumps(told | {"breaker": found.breaker, "accepted": found.accepted}))
                continue
        reply("done")


def fork(numbered: Numbered, count: int) -> None:
    """End spans in a child that leaves as any program does."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        numbered.end(count)
        sys.stdin.close()
        sys.exit(0)
    os.waitpid(child, 0)
    numbered.skip(count)


def reply(text: str) -> None:
    """Say one line."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
