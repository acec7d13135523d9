"""The platform as people start it: `homeostat up`, on its usual ports when they are free. It knows the ready line."""

import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from demo.children import Child, Children, Program

HTTP_PORT: Final = 4318
GRPC_PORT: Final = 4317

HOST: Final = "127.0.0.1"

READY: Final = re.compile(r"is ready .*?(?P<http>https?://[^\s/]+:\d+).* gRPC on (?P<grpc>[^\s,]+:\d+)")
_READY_S: Final = 60.0
"""It takes less than three seconds; on a cold and busy machine the engine alone is read for many."""

_STOP_S: Final = 45.0
"""It may take 30 s to store what it acknowledged."""

_FOREIGN: Final = ("HOMEOSTAT_", "OTEL_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """Hold a running platform: its process and where it listens."""

    child: Child
    http_url: str
    grpc_url: str
    is_elsewhere: bool


def plain_environment(variables: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return this process's variables without those that would lead the platform or an SDK elsewhere."""
    return {
        name: value
        for name, value in variables.items()
        if not name.startswith(_FOREIGN) and not name.lower().endswith("_proxy")
    }


def is_free(port: int) -> bool:
    """Say whether a port of this machine can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


async def start_platform(children: Children, *, folder: Path) -> Platform:
    """Start the platform with its data in `folder`/data and wait until it is ready.

    Raises:
        ChildSlow: it did not say that it is ready.
    """
    is_usual = is_free(HTTP_PORT) and is_free(GRPC_PORT)
    http, grpc = (HTTP_PORT, GRPC_PORT) if is_usual else (0, 0)
    command = [str(Path(sys.executable).with_name("homeostat")), "up", "--data", str(folder / "data")]
    command += ["--http", f"{HOST}:{http}", "--grpc", f"{HOST}:{grpc}"]
    program = Program(
        name="the platform", command=command, environment=plain_environment(), folder=folder, stop_s=_STOP_S
    )
    child = await children.start(program)
    ready = await child.said(READY, timeout_s=_READY_S)
    return Platform(child=child, http_url=ready["http"], grpc_url=f"http://{ready['grpc']}", is_elsewhere=not is_usual)
