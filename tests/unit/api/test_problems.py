import grpc
import orjson
import pytest

from homeostat_server import exceptions
from homeostat_server.api.problems import problem_of, problem_response, rpc_status, unexpected_problem
from homeostat_server.api.trace_ids import trace_id_of
from homeostat_server.exceptions import HomeostatError, NotFound, SegmentRejected, SpoolFull, StartError, TooLarge

TRACE = "ab" * 16
ERRORS = [
    error
    for error in vars(exceptions).values()
    if isinstance(error, type)
    and issubclass(error, HomeostatError)
    and not issubclass(error, StartError)
    and "code" in vars(error)  # what has none of its own is never raised itself
]


def document_of(error: HomeostatError) -> tuple[int, dict[str, object]]:
    """Return status and JSON of an error's answer."""
    response = problem_response(problem_of(error, trace_id=TRACE))
    return response.status_code, orjson.loads(response.body)


def test_a_problem_document_says_everything_about_the_error() -> None:
    """The members of RFC 9457 are there, and ours: code, attempted, value, hint, retryable, trace id."""
    status, document = document_of(NotFound("find the trace", value="x" * 300, hint="Look again."))
    assert status == 404
    assert document == {
        "type": "urn:homeostat:problem:not_found",
        "title": "Not Found",
        "status": 404,
        "detail": f"find the trace: {'x' * 200}… (Look again.)",
        "code": "not_found",
        "attempted": "find the trace",
        "value": f"{'x' * 200}…",
        "hint": "Look again.",
        "retryable": False,
        "trace_id": TRACE,
    }


@pytest.mark.parametrize("error_type", ERRORS)
def test_every_error_has_an_answer_over_http_and_grpc(error_type: type[HomeostatError]) -> None:
    """No error of the tree is left without a mapping that agrees with whether a retry helps."""
    problem = problem_of(error_type("try"), trace_id=TRACE)
    status = rpc_status(problem)
    has_retry_info = any(detail.TypeName() == "google.rpc.RetryInfo" for detail in status.details)
    assert problem_response(problem).status_code == error_type.status
    assert has_retry_info == ("Retry-After" in problem.response_headers())
    assert has_retry_info == (error_type.retryable and issubclass(error_type, exceptions.CapacityError))
    assert (problem.grpc_code is grpc.StatusCode.UNAVAILABLE) == (error_type.status == 503)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (TooLarge("take"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (SpoolFull("take"), grpc.StatusCode.UNAVAILABLE),
        (SegmentRejected("take"), grpc.StatusCode.INTERNAL),
    ],
)
def test_errors_have_the_grpc_code_that_clients_expect(error: HomeostatError, code: grpc.StatusCode) -> None:
    """An OTLP client retries what is UNAVAILABLE and drops what is not."""
    assert rpc_status(problem_of(error, trace_id=TRACE)).code == code.value[0]


def test_an_unexpected_error_tells_nothing_but_where_to_look() -> None:
    """A defect is the server's: its text stays in the log."""
    problem = unexpected_problem(trace_id=TRACE)
    assert (problem.status, problem.code) == (500, "internal")
    assert TRACE in problem.detail


@pytest.mark.parametrize(
    ("traceparent", "taken"),
    [
        (f"00-{TRACE}-{'cd' * 8}-01", True),
        (f"01-{TRACE}-{'cd' * 8}-01-future", True),
        (f"00-{'0' * 32}-{'cd' * 8}-01", False),
        (f"00-{TRACE.upper()}-{'cd' * 8}-01", False),
        ("nonsense", False),
        ("", False),
    ],
)
def test_the_callers_trace_id_is_used_when_there_is_one(traceparent: str, *, taken: bool) -> None:
    """Both sides look for the same id; without a valid one, a new one is made."""
    found = trace_id_of({"traceparent": traceparent})
    assert (found == TRACE) is taken
    assert len(bytes.fromhex(found)) == 16
