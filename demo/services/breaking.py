"""A service that ends by itself, on purpose: to see how that is told. It knows nothing of what it breaks."""

import os
import sys
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

VARIABLE: Final = "DEMO_BREAKS_AT_REQUEST"
"""When it is set, the service ends at so many requests."""

EXIT_CODE: Final = 70


class Breaking:
    """Count requests and end the process at one of them, without a word to whoever waits."""

    def __init__(self, app: ASGIApp, *, name: str, at_request: int) -> None:
        """Wrap an application."""
        self._app = app
        self._name = name
        self._left = at_request

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve, or end."""
        if scope["type"] == "http" and scope["path"] != "/ready":
            self._left -= 1
            if self._left <= 0:
                print(f"{self._name} breaks on purpose", file=sys.stderr, flush=True)
                os._exit(EXIT_CODE)
        await self._app(scope, receive, send)
