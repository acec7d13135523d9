"""The demo from beginning to end: start, traffic, look, stop, prove. It formats nothing and judges nothing."""

import asyncio
import math
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import httpx

from demo import words
from demo.children import Children
from demo.patience import ask_until
from demo.platform_process import start_platform
from demo.proof import NAMES, Proof, Sent, prove, spans_of
from demo.questions import Answer, Asking
from demo.screen import Screen
from demo.service_processes import start_services
from demo.traffic import TIMEOUT_S, Tally, send

FIRST_TRACE_S: Final = 20.0
"""The slowest exporter sends each second, and a segment is stored in less than one."""

PROOF_S: Final = 20.0
"""All is acknowledged by then, so all has to be readable soon; a busy machine gets some time."""

_PROGRESS_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Say how the demo runs.

    Attributes:
        duration_s: of the traffic; 0 goes on until it is stopped.
        rate: requests a second.
        keeps: whether the data stays; only told here.
        breaks: the name of a service that ends by itself on purpose, empty for none.
    """

    duration_s: float = 0.0
    rate: float = 15.0
    keeps: bool = False
    breaks: str = ""


class Story:
    """Run the demo once."""

    def __init__(self, options: Options, *, folder: Path, screen: Screen) -> None:
        """Take how to run, an empty folder for the platform, and where to say what happens."""
        self._options = options
        self._folder = folder
        self._screen = screen
        self._began_ns = time.time_ns()

    async def run(self) -> bool:
        """Run it and return whether all that should be there was there; without a duration it runs until cancelled.

        Raises:
            DemoFailure: a process ended by itself or did not get ready.
        """
        async with Children() as children:
            return await children.watch(self._run(children))

    async def _run(self, children: Children) -> bool:
        self._screen.say("Starting the platform and three services ...")
        platform = await start_platform(children, folder=self._folder)
        self._screen.say(*words.platform_lines(platform, folder=self._folder, keeps=self._options.keeps))
        services = await start_services(children, platform=platform, breaks=self._options.breaks)
        self._screen.say(*words.service_lines(services, rate=self._options.rate))
        async with Asking(platform.http_url) as asking:
            tally = await self._let_customers_in(asking, url=platform.http_url, shop_url=services[0].url)
            self._screen.say("", "Stopping the services; they send what they still hold ...")
            await children.stop(*(service.child for service in services))
            proof = await self._prove(asking, tally)
        await children.stop(platform.child)
        self._screen.say(*words.summary_lines(tally, proof))
        if platform.child.exit_code:
            raise platform.child.ended()
        return not proof.missing

    async def _let_customers_in(self, asking: Asking, *, url: str, shop_url: str) -> Tally:
        tally, enough = Tally(), asyncio.Event()
        began_s = time.monotonic()
        client = httpx.AsyncClient(base_url=shop_url, timeout=TIMEOUT_S, trust_env=False)
        async with client, asyncio.TaskGroup() as group:
            group.create_task(send(tally, client=client, rate=self._options.rate, random=Random(1), enough=enough))
            trace_id = await self._first_trace(asking, tally)
            self._screen.say(*words.look_lines(url, trace_id=trace_id, duration_s=self._options.duration_s))
            await self._show_progress(asking, tally, began_s=began_s)
            enough.set()
        return tally

    async def _first_trace(self, asking: Asking, tally: Tally) -> str:
        """Return the id of a trace that all services have a part in, as soon as it can be read."""
        timeout_s = min(FIRST_TRACE_S, self._options.duration_s or FIRST_TRACE_S)
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await tally.has_whole_trace.wait()
        answer = await ask_until(
            is_whole, ask=lambda: asking.ask(f"/api/v1/traces/{tally.whole_trace_id}"), timeout_s=timeout_s
        )
        if not is_whole(answer):
            self._screen.say(f"No trace of all three services can be read after {timeout_s:g} s.")
        return tally.whole_trace_id

    async def _show_progress(self, asking: Asking, tally: Tally, *, began_s: float) -> None:
        duration_s = self._options.duration_s
        with self._screen.moving("Sending ...") as show:
            while (elapsed_s := time.monotonic() - began_s) < (duration_s or math.inf):
                samples = await asking.samples()
                show(words.progress_line(tally, samples, elapsed_s=elapsed_s, duration_s=duration_s))
                await asyncio.sleep(min(_PROGRESS_S, duration_s - elapsed_s if duration_s else _PROGRESS_S))

    async def _prove(self, asking: Asking, tally: Tally) -> Proof:
        sent = Sent(
            began=str(self._began_ns),
            trace_ids=tuple(tally.trace_ids),
            whole_trace_id=tally.whole_trace_id,
            unexpected=tuple(tally.unexpected),
        )
        return await ask_until(lambda proof: not proof.missing, ask=lambda: prove(asking, sent), timeout_s=PROOF_S)


def is_whole(trace: Answer) -> bool:
    """Say whether a trace has spans of all services."""
    return {name for name, _ in spans_of(trace)} == NAMES
