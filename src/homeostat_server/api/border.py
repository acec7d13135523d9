"""The outermost layer around every HTTP request: whatever is raised inside becomes a problem document here.

It decides nothing about requests, apart from asking the guard first. OTLP paths answer their own errors in their own
format and are let through.
"""

import logging
from collections.abc import Callable
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from homeostat_server.api.problems import Problem, problem_of, problem_response, unexpected_problem
from homeostat_server.api.trace_ids import trace_id_of
from homeostat_server.exceptions import HomeostatError
from homeostat_server.security.tokens import Headers as RawHeaders

Guard = Callable[[RawHeaders], None]
"""Raise a `HomeostatError` for a request that may not be served at all."""

OTLP_PREFIX: Final = "/v1/"

_LOG: Final = logging.getLogger(__name__)


class Border:
    """Turn errors into problem documents; an unforeseen one is logged under the trace id that its caller is told."""

    def __init__(self, app: ASGIApp, *, guard: Guard) -> None:
        """Surround the application."""
        self._app = app
        self._guard = guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answering = _Answering(send)
        problem = await self._serve(scope, receive, answering)
        if problem is None:
            return
        if answering.has_begun:
            # Half an answer cannot be taken back; closing the connection is the only way left to say that it is one.
            raise ConnectionAbortedError(f"the answer broke off, trace id {problem.trace_id}")
        await problem_response(problem)(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, answering: "_Answering") -> Problem | None:
        try:
            if not scope["path"].startswith(OTLP_PREFIX):
                self._guard(scope["headers"])
            await self._app(scope, receive, answering)
        except HomeostatError as error:
            return problem_of(error, trace_id=trace_id_of(Headers(scope=scope)))
        except Exception:
            trace_id = trace_id_of(Headers(scope=scope))
            _LOG.exception("%s %s failed, trace id %s", scope["method"], scope["path"], trace_id)
            return unexpected_problem(trace_id=trace_id)
        return None


class _Answering:
    """Pass messages on and remember whether an answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.has_begun = False

    async def __call__(self, message: Message) -> None:
        self.has_begun = True
        await self._send(message)
