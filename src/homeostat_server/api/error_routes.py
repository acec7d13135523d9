"""Routes whose failures are said as another server says them, not as problem documents. It says none itself."""

from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.problems import problem_of
from homeostat_server.api.trace_ids import trace_id_of
from homeostat_server.exceptions import HomeostatError, InvalidRequest

Handler = Callable[[Request], Coroutine[Any, Any, Response]]

TEXT: Final = "text/plain; charset=utf-8"


class ErrorRoute(APIRoute):
    """Answer failures with `failure`; what nobody foresaw is left to the border."""

    def get_route_handler(self) -> Handler:
        """Return the handler of requests, which answers failures itself."""
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                return await handle(request)
            except HomeostatError as error:
                return self._answer(request, error)
            except RequestValidationError as error:
                told = "; ".join(str(entry["msg"]) for entry in error.errors()[:1])
                return self._answer(request, InvalidRequest(f"read the parameters: {told}"))

        return answered

    def failure(self, error: HomeostatError) -> bytes:
        """Return what is said of an error."""
        raise NotImplementedError

    def _answer(self, request: Request, error: HomeostatError) -> Response:
        headers = problem_of(error, trace_id=trace_id_of(request.headers)).response_headers()
        headers["X-Content-Type-Options"] = "nosniff"
        return Response(self.failure(error), status_code=error.status, headers=headers, media_type=TEXT)
