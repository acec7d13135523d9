import asyncio
import os
import re
import signal
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from demo.children import LINES_SHOWN, ROOT, Child, Children, Program
from demo.failures import ChildEnded, ChildSlow
from tests.waiting import until

READY = re.compile(r"ready (\d+)")


def program(code: str, *, stop_s: float = 10.0) -> Program:
    """Return a program of Python code."""
    return Program(
        name="actor", command=[sys.executable, "-c", code], environment=os.environ, folder=Path.cwd(), stop_s=stop_s
    )


ENDLESS = program("import os, time; print('ready', os.getpid()); time.sleep(600)")
DEAF = program(
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready 1'); time.sleep(600)", stop_s=0.1
)
WITH_GRANDCHILD = program(
    "import subprocess, sys, time;"
    "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']);"
    "print('ready', other.pid); time.sleep(600)"
)


def is_gone(pid: int) -> bool:
    """Say whether a process has ended; one that nobody has waited for has ended too."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def forever() -> None:
    """Never return."""
    await asyncio.Event().wait()


async def started(children: Children, what: Program) -> tuple[Child, int]:
    """Return a child that is ready and the number that it said."""
    child = await children.start(what)
    return child, int((await child.said(READY, timeout_s=30))[1])


async def test_a_child_is_the_program_itself_and_gone_when_the_block_is_left() -> None:
    """The leash becomes the program, and leaving the block stops it."""
    async with Children() as children:
        child, pid = await started(children, ENDLESS)
        assert pid == child.pid
    assert is_gone(pid)
    assert child.exit_code == -signal.SIGTERM


async def test_a_child_leads_a_session_of_its_own() -> None:
    """Ctrl-C on the terminal does not reach it."""
    async with Children() as children:
        child, pid = await started(children, ENDLESS)
        assert os.getsid(pid) == os.getpgid(pid) == child.pid


async def test_a_child_that_does_not_stop_is_ended() -> None:
    """One that ignores SIGTERM gets the time it was given and no more."""
    async with Children() as children:
        child, _ = await started(children, DEAF)
    assert child.exit_code == -signal.SIGKILL


async def test_what_a_child_has_started_ends_with_it() -> None:
    """A grandchild does not stay."""
    async with Children() as children:
        _, grandchild = await started(children, WITH_GRANDCHILD)
    until(lambda: is_gone(grandchild), what="end of the grandchild")


async def test_one_child_can_be_stopped_before_the_others() -> None:
    """A child that is stopped on demand does not count as one that ended by itself."""
    async with Children() as children:
        first, _ = await started(children, ENDLESS)
        second, _ = await started(children, ENDLESS)
        await children.watch(children.stop(first))
        assert first.exit_code == -signal.SIGTERM
        assert second.exit_code is None


async def test_a_higher_floor_is_stopped_first() -> None:
    """Whoever leans on another is gone when that one is asked to stop."""
    async with Children() as children:
        upper, _ = await started(children, replace(ENDLESS, floor=1))
        lower, _ = await started(children, ENDLESS)
        stopping = asyncio.create_task(children.stop(lower, upper))
        await asyncio.wait({upper.ending, lower.ending}, return_when=asyncio.FIRST_COMPLETED)
        assert lower.exit_code is None
        await stopping
        assert [child.exit_code for child in (lower, upper)] == [-signal.SIGTERM, -signal.SIGTERM]


async def test_a_child_that_ends_by_itself_ends_the_work() -> None:
    """Its name, exit code and last lines are told."""
    async with Children() as children:
        with pytest.raises(ChildEnded, match="exit code 3") as caught:
            await children.watch(
                _start_and_wait(children, program("print('a'); print('last words'); raise SystemExit(3)"))
            )
    assert "last words" in str(caught.value)
    assert caught.value.name == "actor"


async def test_a_child_that_a_signal_ended_says_which() -> None:
    """The signal is named, and silence is told too."""
    async with Children() as children:
        with pytest.raises(ChildEnded, match=r"SIGKILL\. It said nothing"):
            await children.watch(_start_and_wait(children, program("import os; os.kill(os.getpid(), 9)")))


async def test_work_that_is_done_first_gives_its_result() -> None:
    """Watching changes nothing while all children live."""
    async with Children() as children:
        await started(children, ENDLESS)
        assert await children.watch(asyncio.sleep(0, result=7)) == 7


async def test_a_child_that_does_not_get_ready_is_told() -> None:
    """With what it said until then."""
    async with Children() as children:
        child, _ = await started(children, ENDLESS)
        with pytest.raises(ChildSlow, match="actor is not ready"):
            await child.said(re.compile("never said"), timeout_s=0.05)


async def test_a_second_interruption_ends_children_at_once() -> None:
    """Whoever waits for a slow stop need not wait."""
    children = Children()
    child, _ = await started(children, replace(DEAF, stop_s=600))
    stopping = asyncio.create_task(children.stop(child))
    await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait({stopping}, timeout=30)
    assert child.exit_code == -signal.SIGKILL


async def test_only_the_newest_output_is_kept() -> None:
    """What a child says in hours does not fill the memory."""
    async with Children() as children:
        child = await children.start(program("print('x' * 300_000); [print(i) for i in range(100)]; print('ready 1')"))
        await child.said(READY, timeout_s=30)
        assert len(child.last_lines) == LINES_SHOWN
        assert child.last_lines[-1] == "ready 1"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process of its parent's end")
def test_a_child_ends_when_the_demo_is_killed(tmp_path: Path) -> None:
    """Even SIGKILL, at which nobody can do anything any more, leaves nothing behind."""
    code = """
import asyncio, os, sys
from pathlib import Path
from demo.children import Children, Program
async def main():
    async with Children() as children:
        code = "import time; time.sleep(600)"
        child = await children.start(Program(
            name="actor", command=[sys.executable, "-c", code], environment=os.environ, folder=Path.cwd(), stop_s=1))
        print(child.pid, flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
    said = tmp_path / "said"
    with said.open("wb") as output, psutil.Popen([sys.executable, "-c", code], stdout=output, cwd=ROOT) as parent:
        pid = int(until(said.read_text, what="the child"))
        parent.kill()
    until(lambda: is_gone(pid), what="end of the child")


async def _start_and_wait(children: Children, what: Program) -> None:
    await children.start(what)
    await forever()
