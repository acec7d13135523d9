"""Who this process is among all that run the same service. It does not know what the service is called."""

import os
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Tell one process from every other, its parent and children included.

    `instance_id` is the value of `service.instance.id`: a random UUID (OpenTelemetry semantic conventions, "Service").
    `born_ns` is when this identity began, in nanoseconds since 1970: what began earlier belongs to the parent.
    """

    instance_id: str
    pid: int
    born_ns: int


def new_identity(*, now_ns: Callable[[], int] = time.time_ns) -> Identity:
    """Return an identity that no other process has, for this process from now on."""
    return Identity(instance_id=str(uuid.uuid4()), pid=os.getpid(), born_ns=now_ns())
