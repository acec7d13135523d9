"""The HTTP application: routers put together, errors answered, OpenAPI generated. It serves no route of its own.

No CORS headers are ever sent, so that a page of another origin reads nothing; requests that such a page may have caused
are refused by the guard while the server runs open.
"""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Lifespan

from homeostat_server.api.border import Border, Guard
from homeostat_server.api.problems import PROBLEM_MEDIA_TYPE, Problem, problem_of, problem_response
from homeostat_server.api.trace_ids import trace_id_of
from homeostat_server.exceptions import SHOWN_VALUE_LENGTH_MAX, HomeostatError

_ERRORS_MAX: Final = 20  # of one request, told to its sender
_CODES: Final = {404: "not_found", 405: "method_not_allowed"}

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "title": "Problem",
    "required": ["type", "title", "status", "detail", "code", "retryable", "trace_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string", "description": "Stable; the texts are not."},
        "attempted": {"type": "string"},
        "value": {"type": ["string", "null"]},
        "hint": {"type": "string"},
        "retryable": {"type": "boolean"},
        "trace_id": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}

PROBLEM_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    "default": {"description": "Problem (RFC 9457)", "content": {PROBLEM_MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
}


def create_app(
    *,
    version: str,
    guard: Guard,
    ingest: APIRouter,
    routers: Sequence[APIRouter] = (),
    lifespan: Lifespan[FastAPI] | None = None,
) -> FastAPI:
    """Return the application.

    Args:
        version: the distribution's.
        guard: asked before anything but OTLP is served; `Authenticator.refuse_foreign_page`.
        ingest: the OTLP routes, whose errors have a format of their own.
        routers: all the others; each is documented as answering problems.
        lifespan: what starts and stops with the application.
    """
    app = FastAPI(
        title="Homeostat",
        version=version,
        description="OpenTelemetry in, answers out.",
        lifespan=lifespan,
        redirect_slashes=False,  # a redirect would send an exporter's body to wherever its Host header says
    )
    app.include_router(ingest)
    for router in routers:
        app.include_router(router, responses=PROBLEM_RESPONSES)
    app.add_exception_handler(HomeostatError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(RequestValidationError, _answer_validation_error)
    app.add_middleware(Border, guard=guard)
    return app


async def _answer_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HomeostatError)  # what it is registered for, said to the type checker
    return problem_response(problem_of(error, trace_id=trace_id_of(request.headers)))


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # as above
    problem = Problem(
        status=error.status_code,
        code=_CODES.get(error.status_code, "invalid_request"),
        attempted=f"{request.method} {request.url.path}"[:SHOWN_VALUE_LENGTH_MAX],
        hint="The routes are listed in /openapi.json." if error.status_code in _CODES else str(error.detail),
        trace_id=trace_id_of(request.headers),
        headers=error.headers,
    )
    return problem_response(problem)


async def _answer_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # as above
    errors = [
        {"where": ".".join(map(str, entry["loc"]))[:SHOWN_VALUE_LENGTH_MAX], "message": entry["msg"]}
        for entry in error.errors()[:_ERRORS_MAX]
    ]
    problem = Problem(
        status=400,
        code="invalid_request",
        attempted="read the parameters of the request",
        value="; ".join(f"{entry['where']}: {entry['message']}" for entry in errors)[:SHOWN_VALUE_LENGTH_MAX],
        trace_id=trace_id_of(request.headers),
        errors=errors,
    )
    return problem_response(problem)
