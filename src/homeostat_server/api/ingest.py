"""OTLP over HTTP: `POST /v1/{traces,logs,metrics}`, protobuf and JSON. What is acceptable is decided in `ingest`.

Every failure is a google.rpc.Status in the caller's own content type. The body is read in pieces, each counted before
the next is asked for, so that a promise of length reserves nothing and a missing one costs nothing.
"""

import asyncio
import logging
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from homeostat_server.api.otlp import answer, failure, outcome_word
from homeostat_server.api.problems import Problem, problem_of, rpc_status, unexpected_problem
from homeostat_server.api.reception import Reception
from homeostat_server.api.trace_ids import trace_id_of
from homeostat_server.exceptions import HomeostatError, InvalidRequest, UnsupportedMedia
from homeostat_server.ingest.admission import Admitted
from homeostat_server.ingest.compression import too_large
from homeostat_server.ingest.decoding import BodyFormat, RawBody
from homeostat_server.ingest.intake_counts import Transport
from homeostat_server.model.identity import Scope
from homeostat_server.model.signal import Signal

_FORMATS: Final = {
    "application/x-protobuf": BodyFormat.PROTOBUF,
    "application/protobuf": BodyFormat.PROTOBUF,
    "application/json": BodyFormat.JSON,
}
_MEDIA_TYPES: Final = {BodyFormat.PROTOBUF: "application/x-protobuf", BodyFormat.JSON: "application/json"}

_LENGTH_DIGITS_MAX: Final = 18

_LOG: Final = logging.getLogger(__name__)


def ingest_router(reception: Reception) -> APIRouter:
    """Return the three OTLP routes."""
    router = APIRouter(tags=["ingest"])
    for signal in Signal:
        _add_route(router, signal, reception)
    return router


def _add_route(router: APIRouter, signal: Signal, reception: Reception) -> None:
    async def export(request: Request) -> Response:
        return await receive(request, signal=signal, reception=reception)

    router.add_api_route(
        f"/v1/{signal.value}",
        export,
        methods=["POST"],
        name=f"export_{signal.value}",
        summary=f"Take {signal.value} in (OTLP).",
        description="Answers when all that is acceptable is on disk. Content codings: gzip, deflate, zstd.",
        response_class=Response,
        responses=_documented_responses(signal),
        openapi_extra={"requestBody": {"required": True, "content": _content(f"Export {signal.value} request")}},
    )


async def receive(request: Request, *, signal: Signal, reception: Reception) -> Response:
    """Serve one export request; whatever of ours goes wrong becomes an answer here."""
    started_s = reception.clock.monotonic_s()
    body_format = _FORMATS.get(media_type_of(request))
    try:
        response, word = await _export(request, _known(body_format, request), signal=signal, reception=reception)
    except HomeostatError as error:
        problem = problem_of(error, trace_id=trace_id_of(request.headers))
        response, word = _failure(problem, body_format or BodyFormat.JSON), error.code
    except Exception:
        trace_id = trace_id_of(request.headers)
        _LOG.exception("exporting %s over HTTP failed, trace id %s", signal.value, trace_id)
        response, word = _failure(unexpected_problem(trace_id=trace_id), body_format or BodyFormat.JSON), "internal"
    seconds = reception.clock.monotonic_s() - started_s
    reception.counts.answered(signal, transport=Transport.HTTP, outcome=word, seconds=seconds)
    return response


async def _export(
    request: Request, body_format: BodyFormat, *, signal: Signal, reception: Reception
) -> tuple[Response, str]:
    principal = reception.authenticator.authenticate(request.headers.raw, scope=Scope.INGEST)
    with reception.admission.admit() as admitted:
        data = await read_body(
            request, admitted, size_bytes_max=reception.body_bytes_max, timeout_s=reception.body_timeout_s
        )
        raw = RawBody(data=data, encoding=request.headers.get("content-encoding", ""), format=body_format)
        outcome = await reception.intake.accept(raw, tenant=principal.tenant, signal=signal, admitted=admitted)
    content = answer(outcome, signal=signal, body_format=body_format)
    return Response(content, media_type=_MEDIA_TYPES[body_format]), outcome_word(outcome)


async def read_body(request: Request, admitted: Admitted, *, size_bytes_max: int, timeout_s: float) -> bytes:
    """Return the whole body as it came.

    Raises:
        TooLarge: it is larger than the bound.
        InvalidRequest: it did not arrive in time, or not to its end.
        Overloaded: there is no room for it now.
    """
    _refuse_announced(request, size_bytes_max)
    try:
        async with asyncio.timeout(timeout_s):
            return await _read_counted(request, admitted, size_bytes_max)
    except TimeoutError as error:
        hint = f"The whole body has to arrive within {timeout_s:g} s."
        raise InvalidRequest("read the request body", hint=hint) from error
    except ClientDisconnect as error:
        raise InvalidRequest("read the request body", hint="The connection was closed before its end.") from error


async def _read_counted(request: Request, admitted: Admitted, size_bytes_max: int) -> bytes:
    chunks = []
    size_bytes = 0
    async for chunk in request.stream():
        size_bytes += len(chunk)
        if size_bytes > size_bytes_max:
            raise too_large(size_bytes_max)
        admitted.grow(len(chunk))
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse_announced(request: Request, size_bytes_max: int) -> None:
    announced = request.headers.get("content-length", "").lstrip("0")
    # Compared by its digits first: Python refuses to make a number of thousands of them.
    if announced.isdecimal() and (len(announced) > _LENGTH_DIGITS_MAX or int(announced) > size_bytes_max):
        raise too_large(size_bytes_max)


def media_type_of(request: Request) -> str:
    """Return the content type that a request says, without its parameters, in small letters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _known(body_format: BodyFormat | None, request: Request) -> BodyFormat:
    if body_format is None:
        raise UnsupportedMedia(
            "decode the body by its content type",
            value=request.headers.get("content-type", "(none)"),
            hint="OTLP is application/x-protobuf or application/json.",
        )
    return body_format


def _failure(problem: Problem, body_format: BodyFormat) -> Response:
    return Response(
        failure(rpc_status(problem), body_format=body_format),
        status_code=problem.status,
        headers=problem.response_headers(),
        media_type=_MEDIA_TYPES[body_format],
    )


def _documented_responses(signal: Signal) -> dict[int | str, dict[str, Any]]:
    failures = {
        400: "The body is not what it says it is; nothing of it is stored.",
        401: "No valid API key.",
        403: "The API key may not ingest.",
        413: "The body is too large.",
        415: "Content type or content coding are not understood.",
        429: "Too many requests; see Retry-After.",
        503: "No room, or the disk does not take it; see Retry-After.",
    }
    responses: dict[int | str, dict[str, Any]] = {
        code: {"description": text, "content": _content("google.rpc.Status")} for code, text in failures.items()
    }
    responses[HTTPStatus.OK.value] = {
        "description": f"All {signal.value} that are not counted in partial_success are durable.",
        "content": _content(f"Export {signal.value} response"),
    }
    return responses


def _content(title: str) -> dict[str, Any]:
    binary = {"schema": {"type": "string", "format": "binary", "title": title}}
    return {"application/x-protobuf": binary, "application/json": {"schema": {"type": "object", "title": title}}}
