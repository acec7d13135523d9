import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from itertools import takewhile
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import duration_pb2
from google.rpc import error_details_pb2, status_pb2

from homeostat_server.model.signal import Signal
from tests import otlp
from tests.e2e.numbered import Body, numbered_body, tallies
from tests.e2e.tenants import JSON, GrpcAnswer, call
from tests.running import PROTOBUF, Answer, Launch, Platform, ask, launched, running
from tests.stored_rows import stored_rows
from tests.waiting import until

pytestmark = pytest.mark.e2e

GOOD = otlp.logs(otlp.record()).SerializeToString()
KIBIBYTE = 1 << 10


def retry_delay_s(answer: GrpcAnswer) -> float:
    """Return when a call should be made again, as its google.rpc.Status says; 0 when it does not."""
    details = answer.trailing["grpc-status-details-bin"]
    assert isinstance(details, bytes)
    for detail in status_pb2.Status.FromString(details).details:
        info = error_details_pb2.RetryInfo()
        if detail.Unpack(info):
            delay: duration_pb2.Duration = info.retry_delay
            return delay.ToNanoseconds() / 1e9
    return 0.0


def unfinished(platform: Platform, *, sent: int) -> socket.socket:
    """Hold a place, and so many bytes, with a request whose end does not come."""
    connection = socket.create_connection(("127.0.0.1", platform.http_port))
    head = f"POST /v1/logs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {sent + 1}"
    connection.sendall(head.encode() + b"\r\n\r\n" + b" " * sent)
    return connection


@pytest.mark.parametrize(
    ("settings", "held"),
    [
        ({"ingest_inflight_bytes_max": 64 * KIBIBYTE, "ingest_body_bytes_max": 64 * KIBIBYTE}, 64 * KIBIBYTE - 10),
        ({"ingest_requests_max": 1}, 10),
    ],
    ids=["bytes", "requests"],
)
def test_what_is_in_flight_is_bounded(tmp_path: Path, settings: dict[str, Any], held: int) -> None:
    """At the bound a sender is told which one it is and to come back in a second; with room again it is let in."""
    with running(tmp_path / "data", **settings) as platform:
        with closing(unfinished(platform, sent=held)):
            until(lambda: platform.metric("homeostat_ingest_inflight_bytes") == held)
            over_http, as_json = platform.post("logs", GOOD), platform.post("logs", b"{}" + b" " * 100, JSON)
            assert (over_http.status, over_http.headers["retry-after"]) == (503, "1")
            assert next(iter(settings)) in status_pb2.Status.FromString(over_http.body).message
            assert (as_json.status, as_json.headers["content-type"]) == (503, "application/json")
            over_grpc = call(platform, Signal.LOGS, GOOD)
            assert (over_grpc.code, retry_delay_s(over_grpc)) == (grpc.StatusCode.UNAVAILABLE, 1.0)
            assert platform.get("/health").status == 200
        until(lambda: platform.post("logs", GOOD).status == 200)
        assert call(platform, Signal.LOGS, GOOD).code is grpc.StatusCode.OK


def test_a_spool_that_is_full_refuses_until_the_store_has_caught_up(tmp_path: Path) -> None:
    """Nothing is taken beyond the bound; what was acknowledged is stored, and then there is room by itself."""
    data = tmp_path / "data"
    bodies = [numbered_body(Signal.LOGS, number=number, items=1_000, service="a") for number in range(1, 60)]
    with running(data, spool_bytes_max=1 << 20, spool_segment_bytes_max=1 << 20, spool_gather_ms=3_000) as platform:
        answers = list(takewhile(lambda answer: answer.status == 200, send_all(platform, bodies)))
        answer = platform.post("logs", bodies[-1].data)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert "spool_bytes_max = 1048576 is used up" in status_pb2.Status.FromString(answer.body).message
        over_grpc = call(platform, Signal.LOGS, bodies[-1].data)
        assert (over_grpc.code, retry_delay_s(over_grpc)) == (grpc.StatusCode.UNAVAILABLE, 5.0)
        assert platform.metric('homeostat_spool_requests_total{event="spool_full",signal="logs"}') == 3
        until(lambda: platform.post("logs", bodies[-1].data).status == 200)
    acknowledged = [body.number for body in bodies[: len(answers)]] + [bodies[-1].number]
    with stored_rows(data) as stored:
        found = {number: tally.rows for number, tally in tallies(stored, Signal.LOGS).items()}
    assert found == dict.fromkeys(acknowledged, 1_000)


def send_all(platform: Platform, bodies: Sequence[Body]) -> Iterator[Answer]:
    """Send bodies one after the other, each when the answer to the one before was looked at."""
    return (platform.post(body.signal, body.data) for body in bodies)


@pytest.mark.skipif(not shutil.which("prlimit"), reason="prlimit is not installed")
def test_running_out_of_file_descriptors_is_told_and_passes(tmp_path: Path) -> None:
    """While idle connections take all of them, senders get 503 with the cause; when they go, it goes on by itself."""
    data = tmp_path / "data"
    bodies = [numbered_body(Signal.LOGS, number=number, items=1, service="a").data for number in (1, 2)]
    few_files = Launch(data=data, settings={"spool_gather_ms": 0}, prefix=("prlimit", "--nofile=256:256"))
    with launched(few_files) as platform:
        assert platform.post("logs", bodies[0]).status == 200
        platform.wait_until_stored()
        kept = HTTPConnection("127.0.0.1", platform.http_port, timeout=60)
        with closing(kept), ExitStack() as stack:
            assert ask(kept, "GET", "/health/liveness").status == 200
            for _ in range(300):
                stack.enter_context(closing(socket.create_connection(("127.0.0.1", platform.http_port))))
            refused = until(lambda: _refused(kept, bodies[1]))
            assert "Too many open files: raise the limit of open files" in refused
        until(lambda: _is_well(platform))
        assert platform.post("logs", bodies[1]).status == 200
    with stored_rows(data) as stored:
        assert {number: tally.rows for number, tally in tallies(stored, Signal.LOGS).items()} == {1: 1, 2: 1}


def _is_well(platform: Platform) -> bool:
    """Say whether it says so; what still stands in the queue of connections may be reset."""
    try:
        return bool(platform.get("/health").json()["status"] == "ok")
    except ConnectionError:
        return False


def _refused(connection: HTTPConnection, body: bytes) -> str:
    answer = ask(connection, "POST", "/v1/logs", body=body, headers=PROTOBUF)
    return "" if answer.status == 200 else status_pb2.Status.FromString(answer.body).message
