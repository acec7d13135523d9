"""The one table from errors to answers: HTTP problem documents (RFC 9457), gRPC status codes, google.rpc.Status.

It decides how an error is said, never whether something is one. Problem documents carry the members `code`,
`attempted`, `value`, `hint`, `retryable` and `trace_id` beside those of the RFC; `code` is the promise, texts are not.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from starlette.responses import Response

from homeostat_server.exceptions import CapacityError, HomeostatError

PROBLEM_MEDIA_TYPE: Final = "application/problem+json"

_GRPC_CODES: Final[Mapping[str, grpc.StatusCode]] = {
    "invalid_request": grpc.StatusCode.INVALID_ARGUMENT,
    "unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "conflict": grpc.StatusCode.ABORTED,
    "too_large": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "unsupported_media": grpc.StatusCode.INVALID_ARGUMENT,
    "not_supported": grpc.StatusCode.UNIMPLEMENTED,
    "query_limit": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "too_many_requests": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "overloaded": grpc.StatusCode.UNAVAILABLE,
    "spool_full": grpc.StatusCode.UNAVAILABLE,
    "spool_unavailable": grpc.StatusCode.UNAVAILABLE,
    "store_unavailable": grpc.StatusCode.UNAVAILABLE,
    "state_unavailable": grpc.StatusCode.UNAVAILABLE,
    "cancelled": grpc.StatusCode.UNAVAILABLE,
}
"""By error code; what is not here is INTERNAL. An OTLP client retries UNAVAILABLE, and RESOURCE_EXHAUSTED only when it
carries a RetryInfo, which a `CapacityError` always does and a body that is too large never."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Describe one failed request, before it is written in the caller's format."""

    status: int
    code: str
    attempted: str
    value: str | None = None
    hint: str = ""
    retryable: bool = False
    retry_after_s: float | None = None
    trace_id: str = ""
    headers: Mapping[str, str] | None = None
    errors: Sequence[Mapping[str, Any]] = ()

    @property
    def detail(self) -> str:
        """Return all that can be said in one sentence."""
        text = self.attempted if self.value is None else f"{self.attempted}: {self.value}"
        return f"{text} ({self.hint})" if self.hint else text

    @property
    def grpc_code(self) -> grpc.StatusCode:
        """Return the gRPC status that says the same."""
        return _GRPC_CODES.get(self.code, grpc.StatusCode.INTERNAL)

    def response_headers(self) -> dict[str, str]:
        """Return the headers of the answer, `Retry-After` in whole seconds among them."""
        headers = dict(self.headers or {})
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, math.ceil(self.retry_after_s)))
        if self.status == HTTPStatus.UNAUTHORIZED:
            headers["WWW-Authenticate"] = "Bearer"
        return headers


def problem_of(error: HomeostatError, *, trace_id: str) -> Problem:
    """Return what there is to say about an error of ours."""
    return Problem(
        status=error.status,
        code=error.code,
        attempted=error.attempted,
        value=error.shown_value(),
        hint=error.hint,
        retryable=error.retryable,
        retry_after_s=error.retry_after_s if isinstance(error, CapacityError) else None,
        trace_id=trace_id,
    )


def unexpected_problem(*, trace_id: str) -> Problem:
    """Return what there is to say about an error that nobody foresaw: nothing of it, but where to look."""
    return Problem(
        status=HTTPStatus.INTERNAL_SERVER_ERROR,
        code="internal",
        attempted="serve the request",
        hint=f"This is a defect of the server; its log has the details under {trace_id}.",
        trace_id=trace_id,
    )


def problem_response(problem: Problem) -> Response:
    """Return the problem document of RFC 9457."""
    document: dict[str, Any] = {
        "type": f"urn:homeostat:problem:{problem.code}",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.code,
        "attempted": problem.attempted,
        "value": problem.value,
        "hint": problem.hint,
        "retryable": problem.retryable,
        "trace_id": problem.trace_id,
    }
    if problem.errors:
        document["errors"] = list(problem.errors)
    return Response(
        json.dumps(document, ensure_ascii=False),
        status_code=problem.status,
        headers=problem.response_headers(),
        media_type=PROBLEM_MEDIA_TYPE,
    )


def rpc_status(problem: Problem) -> status_pb2.Status:
    """Return the google.rpc.Status: code, text, the error's own code as ErrorInfo, when to retry as RetryInfo."""
    number: int = problem.grpc_code.value[0]
    info = error_details_pb2.ErrorInfo(
        reason=problem.code.upper(), domain="homeostat", metadata={"trace_id": problem.trace_id}
    )
    details = [_packed(info)]
    if problem.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(problem.retry_after_s * 1e9))
        details.append(_packed(error_details_pb2.RetryInfo(retry_delay=delay)))
    return status_pb2.Status(code=number, message=problem.detail, details=details)


def _packed(message: error_details_pb2.ErrorInfo | error_details_pb2.RetryInfo) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed
