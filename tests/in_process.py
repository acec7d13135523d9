"""The whole platform inside this process, on free ports: its settings, its lifecycle watched, its ready line heard."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from homeostat_server.runtime.knobs import Knobs
from homeostat_server.runtime.lifecycle import Lifecycle
from homeostat_server.runtime.settings import Settings
from homeostat_server.runtime.settings_loading import load_settings
from homeostat_server.server.wiring import Ground, _ground, run
from tests.waiting import until

READY: Final = re.compile(
    r"^homeostat \S+ is ready after [\d.]+ s: (https?://\S+:\d+) .* gRPC on \S+:(\d+), data in [^,]*, (.*)\n$"
)


def settings(folder: Path, **changes: object) -> Settings:
    """Return settings of a platform on free ports."""
    flags = {"data": folder / "data", "http": "127.0.0.1:0", "grpc": "127.0.0.1:0"} | changes
    return load_settings({name: str(value) for name, value in flags.items()}, environment={})


class Watched(Lifecycle):
    """Remember in which order components stop."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.stopped: list[str] = []

    async def stop(self) -> Any:  # noqa: ANN401 - as the parent has it
        """Stop them, and remember them."""
        self.stopped = [*reversed(self.started)]
        return await super().stop()


def ground_of(made: Settings, lifecycle: Lifecycle) -> Ground:
    """Return what a platform stands on, with a lifecycle of the test's own."""
    return replace(_ground(made), lifecycle=lifecycle)


@dataclass
class Running:
    """Hold a platform that is ready, in this process."""

    url: str
    access: str
    lifecycle: Watched
    knobs: Knobs
    client: httpx.AsyncClient
    stopping: asyncio.Event
    ending: "asyncio.Task[int]"

    async def stop(self) -> int:
        """Let it stop and return its exit code."""
        self.stopping.set()
        return await self.ending


class Doorstep:
    """Start platforms in this process and wait until they say that they are ready."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Listen to standard output."""
        self._capsys = capsys
        self._said = ""

    async def ready_line(self, ending: "asyncio.Task[int]") -> "re.Match[str]":
        """Return the ready line; raise what ended the platform when it ends instead."""
        await asyncio.to_thread(until, lambda: self._hear() or ending.done())
        if ending.done():
            await ending
        said, self._said = self._said, ""
        found = READY.match(said)
        assert found, said
        return found

    def _hear(self) -> bool:
        self._said += self._capsys.readouterr().out
        return self._said.endswith("\n")

    @asynccontextmanager
    async def started(self, made: Settings) -> AsyncIterator[Running]:
        """Give a platform that is ready; stop it when the test has not."""
        ground, stopping = ground_of(made, Watched()), asyncio.Event()
        ending = asyncio.create_task(run(ground, stopping=stopping, began_s=0))
        found = await self.ready_line(ending)
        assert isinstance(ground.lifecycle, Watched)
        async with httpx.AsyncClient(base_url=found[1], trust_env=False) as client:
            running = Running(found[1], found[3], ground.lifecycle, ground.knobs, client, stopping, ending)
            try:
                yield running
            finally:
                await running.stop()
