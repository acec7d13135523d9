"""What a process says about itself with everything it sends. It does not know who sends it."""

import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.version import __version__ as SDK_VERSION  # noqa: N812 - a constant there, too

from homeostat.process.identity import Identity
from homeostat.process.version import __version__
from homeostat.settings.table import Settings

UNKNOWN_SERVICE: Final = "unknown_service"
"""What a service is called that nobody named (OpenTelemetry semantic conventions, "Service")."""


def service_name(settings: Settings) -> str:
    """Return the name of the service, made from the program's when none was set."""
    if settings.service:
        return settings.service
    program = program_name(sys.argv, sys.orig_argv)
    return f"{UNKNOWN_SERVICE}:{program}" if program else UNKNOWN_SERVICE


def program_name(words: Sequence[str], original: Sequence[str]) -> str:
    """Return what the program is called.

    Args:
        words: as the program sees them; before its own code runs, "-m" or "-c" may stand for its name.
        original: as the interpreter was called.
    """
    first = words[0] if words else ""
    if first == "-m" and "-m" in original[:-1]:
        return original[original.index("-m") + 1]
    return "" if first in {"", "-c", "-m"} else Path(first).name


def make_resource(settings: Settings, identity: Identity) -> Resource:
    """Return the resource of this process. What has a setting of its own wins over `resource_attributes`."""
    own = {
        "service.name": service_name(settings),
        "service.version": settings.service_version,
        "service.namespace": settings.service_namespace,
        "service.instance.id": identity.instance_id,
        "deployment.environment.name": settings.environment,
        "host.name": socket.gethostname(),
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": SDK_VERSION,
        "telemetry.distro.name": "homeostat",
        "telemetry.distro.version": __version__,
        "process.runtime.name": sys.implementation.name,
        "process.runtime.version": ".".join(map(str, sys.version_info[:3])),
    }
    said = {key: value for key, value in own.items() if value}
    return Resource({**settings.resource_attributes, **said, "process.pid": identity.pid})
