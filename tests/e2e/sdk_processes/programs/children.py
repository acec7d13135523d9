"""A program whose children work: `python children.py HOW`. It prints the process numbers that made a span."""

import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from opentelemetry import trace

CHILDREN = 3


def work(_: int = 0) -> int:
    """Make a span and say in which process."""
    with trace.get_tracer("program").start_as_current_span("work"):
        return os.getpid()


def raising() -> None:
    """Make a span and fail."""
    work()
    sys.stderr.close()
    raise RuntimeError


def forked(leave: Callable[[], object]) -> int:
    """Fork a child that makes a span and leaves in some way; return its number."""
    pid = os.fork()
    if pid == 0:
        work()
        leave()
    os.waitpid(pid, 0)
    return pid


def terminated() -> int:
    """Fork a child that makes a span and is then told to stop; return its number."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        work()
        os.write(writing, b"x")
        while True:
            signal.pause()
    os.read(reading, 1)
    os.kill(pid, signal.SIGTERM)
    _, status = os.waitpid(pid, 0)
    assert os.WTERMSIG(status) == signal.SIGTERM
    return pid


def processes(method: str, target: Callable[[], object] = work) -> list[int]:
    """Start processes of `multiprocessing`, one after the other, and return their numbers."""
    started = []
    for _ in range(CHILDREN):
        process = multiprocessing.get_context(method).Process(target=target)  # type: ignore[attr-defined]  # typeshed
        process.start()
        process.join()
        started.append(process.pid or 0)
    return started


def pool(method: str) -> list[int]:
    """Let a pool work and return who did."""
    with multiprocessing.get_context(method).Pool(CHILDREN) as workers:
        done = workers.map(work, range(CHILDREN * 4), chunksize=1)
        workers.close()
        workers.join()
    return done


def executor(method: str) -> list[int]:
    """Let an executor of the standard library work and return who did."""
    with ProcessPoolExecutor(CHILDREN, mp_context=multiprocessing.get_context(method)) as workers:
        return list(workers.map(work, range(CHILDREN * 4)))


def span_over_fork() -> list[int]:
    """Fork inside a span, so that both end it."""
    with trace.get_tracer("program").start_as_current_span("around"):
        pid = os.fork()
        if pid == 0:
            work()
    if pid == 0:
        sys.exit(0)
    os.waitpid(pid, 0)
    return [pid]


WAYS: dict[str, Callable[[], list[int]]] = {
    "fork": lambda: processes("fork"),
    "spawn": lambda: processes("spawn"),
    "forkserver": lambda: processes("forkserver"),
    "fork that fails": lambda: processes("fork", raising),
    "fork pool": lambda: pool("fork"),
    "spawn pool": lambda: pool("spawn"),
    "fork executor": lambda: executor("fork"),
    "spawn executor": lambda: executor("spawn"),
    "forkserver executor": lambda: executor("forkserver"),
    "os.fork and sys.exit": lambda: [forked(sys.exit) for _ in range(CHILDREN)],
    "os.fork and SIGTERM": lambda: [terminated() for _ in range(CHILDREN)],
    "a span around a fork": span_over_fork,
}


def main() -> None:
    """Configure here, behind the guard, as programs do."""
    import homeostat  # noqa: PLC0415 - children that are started afresh must not find it in the main module

    homeostat.configure("children")
    # Makes the threads of the export run before the first fork: the harder case.
    before = [work() for _ in range(CHILDREN)]
    homeostat.configure().flush()
    workers = WAYS[sys.argv[1]]()
    after = [work() for _ in range(CHILDREN)]
    sys.stdout.write(json.dumps([*before, *workers, *after]))


if __name__ == "__main__":
    main()
