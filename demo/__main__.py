"""The command `python -m demo`: reads its options, takes signals, gives the exit code. It knows nothing of the story.

Exit codes: 0 when everything was there or somebody stopped it, 1 when something was missing or failed, 2 for options
that cannot be used.
"""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from demo.failures import DemoFailure
from demo.screen import Screen
from demo.services.roles import ROLES
from demo.story import Options, Story
from demo.words import kept_line

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@click.command()
@click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0), default=0.0, help="Seconds of traffic; 0: until Ctrl-C."
)
@click.option(
    "--rate", type=click.FloatRange(min=0.1, max=200), default=15.0, show_default=True, help="Requests a second."
)
@click.option("--keep", "keeps", is_flag=True, help="Keep the data and say where it is.")
@click.option(
    "--break",
    "breaks",
    type=click.Choice([role.name for role in ROLES]),
    default=None,
    help="Let this service end by itself after some requests, to see how that is told.",
)
def main(*, duration_s: float, rate: float, keeps: bool, breaks: str | None) -> None:
    """Start the platform and three instrumented services, send traffic, and say what to look at."""
    options = Options(duration_s=duration_s, rate=rate, keeps=keeps, breaks=breaks or "")
    try:
        sys.exit(asyncio.run(_run(options, screen=Screen(sys.stdout))))
    except BrokenPipeError:
        # Nobody reads any more (`python -m demo | head`): the interpreter must not try once again at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)


async def _run(options: Options, *, screen: Screen) -> int:
    with _folder(keeps=options.keeps) as folder:
        running = asyncio.create_task(Story(options, folder=folder, screen=screen).run())
        _cancel_on_signals(running, screen=screen)
        try:
            exit_code = 0 if await running else 1
        except DemoFailure as failure:
            screen.say("", str(failure))
            exit_code = 1
        except asyncio.CancelledError:  # by a signal, the only one who cancels
            screen.say("Stopped.")
            exit_code = 0
        if options.keeps:
            screen.say(kept_line(folder))
    return exit_code


@contextmanager
def _folder(*, keeps: bool) -> Iterator[Path]:
    prefix = "homeostat-demo-"
    if keeps:
        yield Path(tempfile.mkdtemp(prefix=prefix))
        return
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        yield Path(name)


def _cancel_on_signals(running: asyncio.Task[bool], *, screen: Screen) -> None:
    def cancel() -> None:
        is_first = not running.cancelling()
        running.cancel()
        if is_first:
            screen.say("", "Stopping the services and the platform; once more ends them at once ...")

    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, cancel)


if __name__ == "__main__":
    main()
