"""`/health`, `/health/{liveness,readiness,startup}` and `/metrics`. It asks what it is given to ask, and mends nothing.

    liveness    the event loop turns: restart the process when this does not answer
    startup     start-up has ended: 503 until then
    readiness   started, and every dependency that is needed to serve answers: send no traffic while it is 503
    health      the same with every dependency; one that is not needed makes it "degraded", which is still 200

Answers are kept for a second, so that no crowd of probes becomes a load on what they ask.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.exceptions import HomeostatError
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.telemetry import Telemetry

PROBE_TIMEOUT_S: Final = 2.0
"""Kubernetes waits for one second by default, and asks three times."""

_KEPT_S: Final = 1.0
_MILLISECONDS_PER_SECOND: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Name something that the process leans on.

    Attributes:
        name: as it is shown.
        probe: returns facts worth showing when it is well; raises `HomeostatError` or `OSError` when it is not.
        needed: whether nothing useful can be served without it.
    """

    name: str
    probe: Callable[[], Awaitable[Mapping[str, Any]]]
    needed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Say how a dependency was found."""

    name: str
    needed: bool
    ok: bool
    latency_ms: float
    facts: Mapping[str, Any]
    error: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as it is shown."""
        shown = {"status": "ok" if self.ok else "failing", "latency_ms": self.latency_ms, "needed": self.needed}
        return shown | ({"error": self.error} if self.error else {}) | dict(self.facts)


class Health:
    """Ask the dependencies, and remember for a moment what they said. Belongs to one event loop."""

    def __init__(
        self,
        dependencies: Sequence[Dependency],
        *,
        started: Callable[[], bool],
        clock: Clock,
        probe_timeout_s: float = PROBE_TIMEOUT_S,
    ) -> None:
        """Ask nobody yet; `started` says whether start-up has ended and no stop has begun."""
        self._dependencies = tuple(dependencies)
        self._started = started
        self._clock = clock
        self._probe_timeout_s = probe_timeout_s
        self._asking = asyncio.Lock()
        self._findings: tuple[Finding, ...] = ()
        self._asked_s: float | None = None

    @property
    def is_started(self) -> bool:
        """Say whether start-up has ended and no stop has begun."""
        return self._started()

    async def findings(self) -> tuple[Finding, ...]:
        """Return how every dependency was found, at most a second ago."""
        async with self._asking:
            if self._asked_s is None or self._clock.monotonic_s() - self._asked_s >= _KEPT_S:
                self._findings = tuple(await asyncio.gather(*map(self._ask, self._dependencies)))
                self._asked_s = self._clock.monotonic_s()
            return self._findings

    async def is_ready(self) -> bool:
        """Say whether requests can be served."""
        return self.is_started and all(finding.ok for finding in await self.findings() if finding.needed)

    async def _ask(self, dependency: Dependency) -> Finding:
        began_s = self._clock.monotonic_s()
        facts: Mapping[str, Any] = {}
        error = ""
        try:
            async with asyncio.timeout(self._probe_timeout_s):
                facts = await dependency.probe()
        except TimeoutError:
            error = f"no answer in {self._probe_timeout_s:g} s"
        except (HomeostatError, OSError) as caught:
            error = str(caught)
        latency_ms = round((self._clock.monotonic_s() - began_s) * _MILLISECONDS_PER_SECOND, 3)
        return Finding(
            name=dependency.name,
            needed=dependency.needed,
            ok=not error,
            latency_ms=latency_ms,
            facts=facts,
            error=error,
        )


def health_router(health: Health, *, telemetry: Telemetry, version: str) -> APIRouter:
    """Return the routes that say how the process is."""
    router = APIRouter(tags=["about itself"])

    @router.get("/health", summary="Every dependency, with latencies", response_class=Response)
    async def overall() -> Response:
        findings = await health.findings()
        needed_ok = health.is_started and all(finding.ok for finding in findings if finding.needed)
        word = "down" if not needed_ok else "ok" if all(finding.ok for finding in findings) else "degraded"
        checks = {finding.name: finding.document() for finding in findings}
        return _answer(word, ok=needed_ok, more={"version": version, "checks": checks})

    @router.get("/health/liveness", summary="The process turns", response_class=Response)
    async def liveness() -> Response:
        return _answer("ok", ok=True)

    @router.get("/health/readiness", summary="Requests can be served", response_class=Response)
    async def readiness() -> Response:
        failing = [finding.name for finding in await health.findings() if finding.needed and not finding.ok]
        ok = health.is_started and not failing
        return _answer("ok" if ok else "down", ok=ok, more={"failing": failing})

    @router.get("/health/startup", summary="Start-up has ended", response_class=Response)
    async def startup() -> Response:
        return _answer("ok" if health.is_started else "starting", ok=health.is_started)

    @router.get("/metrics", summary="Self-metrics for Prometheus", response_class=Response)
    async def metrics(request: Request) -> Response:
        content, content_type = telemetry.exposition(request.headers.get("accept", ""))
        return Response(content, headers={"Content-Type": content_type})

    return router


def _answer(word: str, *, ok: bool, more: Mapping[str, Any] | None = None) -> Response:
    return Response(
        orjson.dumps({"status": word, **(more or {})}),
        status_code=HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE,
        headers={"Cache-Control": "no-store"},
        media_type="application/json",
    )
