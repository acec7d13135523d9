"""The libraries that are hooked by our own integrations, one row a library: clients of message brokers, and SQLAlchemy.

Each is hooked when the program imports it. It does not know what is done there.
"""

import importlib
import logging
from collections.abc import Iterable
from functools import partial
from typing import Final

from homeostat.integrations.late import Imports, is_installed
from homeostat.integrations.messaging import Messaging

_LOG: Final = logging.getLogger("homeostat")

# The name in the settings, and the module whose import means that the program uses it.
CLIENTS: Final = {
    "aio_pika": "aio_pika",
    "aiokafka": "aiokafka",
    "celery": "celery",
    "celery_broker": "celery",
    "confluent_kafka": "confluent_kafka",
    "nats": "nats",
    "pika": "pika",
    "redis_streams": "redis",
    "sqlalchemy": "sqlalchemy",
    "websockets": "websockets",
}
"""Every client that is known; the name is that of the module in this room, too."""


class Clients:
    """Hook the clients that the program uses, each when it is imported.

    Args:
        imports: what tells when that is.
        messaging: what makes the spans of messages.
    """

    def __init__(self, imports: Imports, messaging: Messaging) -> None:
        self._imports = imports
        self._messaging = messaging
        self._done: list[str] = []
        self._waiting: list[str] = []

    @property
    def hooked(self) -> tuple[str, ...]:
        """Return the names of those that are hooked by now."""
        return tuple(self._done)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Return the names of those that will be when the program imports them."""
        return tuple(self._waiting)

    def start(self, *, wanted: Iterable[str], unwanted: Iterable[str]) -> None:
        """Wait for the imports of the clients that the settings ask for."""
        asked, refused = set(wanted), set(unwanted)
        for name, library in CLIENTS.items():
            if ("auto" in asked or name in asked) and not {name, "*"} & refused and is_installed(library):
                self._waiting.append(name)
                self._imports.call_when_imported(library, partial(self._hook, name))

    def stop(self) -> None:
        """Leave them as they were."""
        for name in self._done:
            importlib.import_module(f"homeostat.integrations.{name}").uninstall()
        self._done.clear()

    def _hook(self, name: str) -> None:
        self._waiting.remove(name)
        try:
            importlib.import_module(f"homeostat.integrations.{name}").install(self._messaging)
        except Exception as error:
            _LOG.warning("homeostat: %s is not hooked: %s: %s", name, type(error).__name__, error)
        else:
            self._done.append(name)
