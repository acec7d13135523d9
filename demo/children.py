"""Processes that the demo starts, watches and stops. It knows nothing of what they do.

Invariant: whatever was started is gone when the block of `Children` is left, by whichever way, and so is what it had
started itself. Each child leads a session of its own: Ctrl-C on the terminal reaches the demo alone, which then stops
its children in order.
"""

import asyncio
import os
import re
import signal
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from demo.failures import ChildEnded, ChildSlow

T = TypeVar("T")

OUTPUT_BYTES_MAX: Final = 64 * 1024
"""Kept of a child's newest output; a traceback through three frameworks has some 10 KiB."""

LINES_SHOWN: Final = 15

_DRAIN_S: Final = 1.0

ROOT: Final = Path(__file__).resolve().parent.parent
"""Where `demo` can be imported from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Say what to start.

    Attributes:
        name: what it is called when something is said of it.
        command: the program's absolute path and its arguments.
        environment: all its variables.
        folder: where it runs.
        descriptors: open files that it gets, with the numbers that they have here.
        stop_s: how long it may take to stop by itself.
        floor: those on a higher floor are stopped first, those on the same one together.
        orphan_signal: what it gets when the demo ends without stopping it.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    descriptors: Sequence[int] = ()
    stop_s: float
    floor: int = 0
    orphan_signal: signal.Signals = signal.SIGTERM


class Child:
    """Watch one process: keep its newest output, notice its end, stop it."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, *, output: int) -> None:
        """Take a process that leads a session of its own, and the pipe that it writes to."""
        self.name = program.name
        self.floor = program.floor
        self._process = process
        self._stop_s = program.stop_s
        # Not the pipe of asyncio's process: that one's end does not count as such while anybody holds the pipe open.
        self._pipe = os.fdopen(output, "rb", buffering=0)
        self._output = b""
        self._news = asyncio.Condition()
        self._reading = asyncio.create_task(self._read())
        self._is_killed = False
        self.ending = asyncio.create_task(process.wait())

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, None while it runs; negative is the number of the signal that ended it."""
        return self._process.returncode

    @property
    def pid(self) -> int:
        """Return its process id, which is that of its process group too."""
        return self._process.pid

    @property
    def last_lines(self) -> tuple[str, ...]:
        """Return the end of what it said."""
        return tuple(self._text().splitlines()[-LINES_SHOWN:])

    async def said(self, pattern: re.Pattern[str], *, timeout_s: float) -> re.Match[str]:
        """Return where a pattern matches what it said, waiting for it.

        Raises:
            ChildSlow: it has not said that in time.
        """
        try:
            async with asyncio.timeout(timeout_s), self._news:
                while not (found := pattern.search(self._text())):
                    await self._news.wait()
                return found
        except TimeoutError as error:
            raise ChildSlow(self.name, waited_s=timeout_s, last_lines=self.last_lines) from error

    async def stop(self) -> None:
        """Ask it to stop, wait, and end it when it does not."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        await asyncio.wait({self.ending}, timeout=self._stop_s)
        self.kill()
        await self.gone()

    async def gone(self) -> None:
        """Wait until it has ended and what it said is read."""
        await asyncio.wait({self.ending})
        await self.drain()

    def kill(self) -> None:
        """End at once what is left of it and of the processes that it started."""
        if not self._is_killed:  # once only: the number may be somebody else's later
            self._is_killed = True
            with suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def ended(self) -> ChildEnded:
        """Return its end, when that was not as it should be, as an error."""
        return ChildEnded(self.name, exit_code=self.exit_code, last_lines=self.last_lines)

    async def drain(self) -> None:
        """Wait until all that it said is read, at most a moment: whatever left its group may hold the pipe open."""
        await asyncio.wait({self._reading}, timeout=_DRAIN_S)
        self._reading.cancel()
        await asyncio.wait({self._reading})

    async def _read(self) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._pipe
        )
        with closing(transport):
            while chunk := await reader.read(OUTPUT_BYTES_MAX):
                async with self._news:
                    self._output = (self._output + chunk)[-OUTPUT_BYTES_MAX:]
                    self._news.notify_all()

    def _text(self) -> str:
        return self._output.decode("utf-8", "replace")


class Children:
    """Start processes, notice when one ends by itself, and stop them, the highest floor first."""

    def __init__(self) -> None:
        """Begin with none."""
        self._running: list[Child] = []
        self._ended: asyncio.Queue[Child] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop all."""
        await self.stop(*self._running)

    async def start(self, program: Program) -> Child:
        """Start a process."""
        output, written = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "demo.leash", str(os.getpid()), str(int(program.orphan_signal)), *program.command),
                env={**program.environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
                cwd=program.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=written,
                stderr=asyncio.subprocess.STDOUT,
                pass_fds=program.descriptors,
                start_new_session=True,
            )
        except BaseException:
            os.close(output)
            raise
        finally:
            os.close(written)
        child = Child(program, process, output=output)
        self._running.append(child)
        child.ending.add_done_callback(lambda _: self._notice(child))
        return child

    async def stop(self, *children: Child) -> None:
        """Stop these, floor by floor; when that is interrupted, end at once what is left of them."""
        self._running = [child for child in self._running if child not in children]
        try:
            for floor in sorted({child.floor for child in children}, reverse=True):
                await asyncio.gather(*(child.stop() for child in children if child.floor == floor))
        finally:
            for child in children:
                child.kill()
            await asyncio.gather(*(child.gone() for child in children))

    async def watch(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what the work returns, unless a child ends by itself first.

        Raises:
            ChildEnded: one did; the work is cancelled.
        """
        working, ended = asyncio.create_task(work), asyncio.create_task(self._ended.get())
        try:
            await asyncio.wait({working, ended}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                child = ended.result()
                await child.drain()
                raise child.ended()
            return working.result()
        finally:
            working.cancel()
            ended.cancel()
            await asyncio.wait({working, ended})

    def _notice(self, child: Child) -> None:
        if child in self._running:
            child.kill()
            self._ended.put_nowait(child)
