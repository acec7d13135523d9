"""The three services as processes: each on a socket that is bound before it starts, so that its neighbours know it."""

import asyncio
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import httpx

from demo.children import ROOT, Child, Children, Program
from demo.failures import ServiceSlow
from demo.patience import ask_until
from demo.platform_process import HOST, Platform, plain_environment
from demo.services.breaking import VARIABLE
from demo.services.protocol import Protocol
from demo.services.roles import ROLES, Role

BREAKS_AT_REQUEST: Final = 20
"""Late enough that it was seen working."""

_READY_S: Final = 60.0
"""Three interpreters that import FastAPI and the SDK at once need three seconds on two cores, a cold disk more."""

_STOP_S: Final = 10.0
"""Requests under way have three seconds; then three exporters send what they hold, or find nobody who takes it."""

_OFTEN: Final = {
    "OTEL_METRIC_EXPORT_INTERVAL": "1000",
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_BLRP_SCHEDULE_DELAY": "500",
}
"""Milliseconds. The SDK's own defaults are made for services that run for months: up to a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Hold a running service."""

    role: Role
    child: Child
    url: str


async def start_services(children: Children, *, platform: Platform, breaks: str = "") -> tuple[Service, ...]:
    """Start all and wait until each answers; the one called `breaks` will end by itself.

    Raises:
        ServiceSlow: one does not answer.
    """
    with ExitStack() as closing:
        # Closed here when the services have them: a dead service must not seem to listen.
        sockets = {role.name: closing.enter_context(_bound()) for role in ROLES}
        urls = {name: f"http://{HOST}:{bound.getsockname()[1]}" for name, bound in sockets.items()}
        services = []
        for role in ROLES:
            environment = _environment(role, platform=platform, urls=urls, is_broken=role.name == breaks)
            child = await children.start(
                _program(role, descriptor=sockets[role.name].fileno(), environment=environment)
            )
            services.append(Service(role=role, child=child, url=urls[role.name]))
    await asyncio.gather(*map(_wait_for, services))
    return tuple(services)


def _bound() -> socket.socket:
    bound = socket.socket()
    bound.bind((HOST, 0))
    return bound


def _program(role: Role, *, descriptor: int, environment: Mapping[str, str]) -> Program:
    return Program(
        name=role.name,
        command=[sys.executable, "-m", "demo.services.serving", role.name, str(descriptor)],
        environment=environment,
        folder=ROOT,
        descriptors=[descriptor],
        stop_s=_STOP_S,
        orphan_signal=signal.SIGKILL,  # the platform ends too, so that there is nobody to send to
        floor=1,  # above the platform, which takes what they still hold
    )


def _environment(role: Role, *, platform: Platform, urls: Mapping[str, str], is_broken: bool) -> dict[str, str]:
    return {
        **plain_environment(),
        **_OFTEN,
        "OTEL_SERVICE_NAME": role.name,
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=demo",
        "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        "OTEL_EXPORTER_OTLP_ENDPOINT": platform.grpc_url if role.protocol is Protocol.GRPC else platform.http_url,
        **({role.asks_variable: urls[role.asks]} if role.asks else {}),
        **({VARIABLE: str(BREAKS_AT_REQUEST)} if is_broken else {}),
    }


async def _wait_for(service: Service) -> None:
    async with httpx.AsyncClient(base_url=service.url, trust_env=False) as client:
        if not await ask_until(bool, ask=lambda: _is_ready(client), timeout_s=_READY_S):
            raise ServiceSlow(service.role.name, waited_s=_READY_S)


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/ready")).is_success
    except httpx.TransportError:
        return False
