import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.load.http import HttpSender
from benchmarks.load.phases import Load, Phase, percentiles_ms
from benchmarks.load.stock import Stock, TraceIds
from benchmarks.realistic import Restamper


class Door(http.server.BaseHTTPRequestHandler):
    """Take three requests of four; refuse the fourth, and close its connection, in the right words."""

    protocol_version = "HTTP/1.1"
    spans = 0
    requests = 0
    lock = threading.Lock()

    def do_POST(self) -> None:
        """Answer one export."""
        request = ExportTraceServiceRequest.FromString(self.rfile.read(int(self.headers["content-length"])))
        with Door.lock:
            Door.requests += 1
            taken = Door.requests % 4 != 0
            if taken:
                Door.spans += sum(len(scope.spans) for block in request.resource_spans for scope in block.scope_spans)
        self.send_response(200 if taken else 503)
        self.send_header("content-length", "0")
        if not taken:
            self.send_header("retry-after", "1")
            self.send_header("connection", "close")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    """Return the port of a door."""
    Door.spans = Door.requests = 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_sender_counts_what_was_taken_and_what_was_refused(port: int) -> None:
    """Items of acknowledged bodies only, refusals by status, and each acknowledged body is told."""
    load = Load(signal="traces", transport="http", port=port, templates=4, items_per_body=64)
    told: list[bytes] = []
    sender = HttpSender(load, Stock(load), acknowledged=lambda body, _: told.append(body))
    tally = sender.run(Phase(duration_s=0.5, connections=3))
    assert tally.items == Door.spans > 0
    assert sum(tally.statuses.values()) == Door.requests
    assert set(tally.statuses) == {"200", "503"}
    assert tally.retry_after == tally.statuses["503"]
    assert len(told) == tally.statuses["200"] == len(tally.latencies_s)


def test_a_given_rate_is_kept(port: int) -> None:
    """Far below what the door can take, the sender sends what is due and no more."""
    load = Load(signal="traces", transport="http", port=port, templates=4, items_per_body=64)
    HttpSender(load, Stock(load), acknowledged=None).run(Phase(duration_s=1.0, items_per_s=1280.0))
    assert 0.5 * 1280 <= Door.spans <= 1.1 * 1280


def test_percentiles_are_those_of_the_ordered_times() -> None:
    """Of a hundred times p99 is the hundredth; of none there are none."""
    assert percentiles_ms([number / 1000 for number in range(100)]) == {"p50": 50, "p95": 95, "p99": 99, "max": 99}
    assert percentiles_ms([]) == {}


def test_ids_of_acknowledged_traces_are_written_now_and_then(tmp_path: Path) -> None:
    """A moment and an id of the body a line, not more than ten a second."""
    body = Restamper("traces", bodies=1, items_per_body=64).next(1_767_225_600 * 10**9).data
    ids = TraceIds(tmp_path / "ids")
    for now_s in (100.0, 100.05, 100.2):
        ids.acknowledged(body, now_s)
    ids.close()
    lines = (tmp_path / "ids").read_text(encoding="ascii").splitlines()
    assert [line.split()[0] for line in lines] == ["100.000", "100.200"]
    assert bytes.fromhex(lines[0].split()[1]) in body
