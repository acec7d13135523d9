"""Grafana's data sources and Jaeger's UI against a real process: their requests, byte for byte over a socket."""

import gzip
import json
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from http.client import HTTPResponse
from pathlib import Path
from socket import create_connection
from typing import Any, Final

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from tests.peers.traces import CHECKOUT, SHORT, UNKNOWN, requests
from tests.running import Answer, Platform, create_key, running

CLIENTS: Final = json.loads((Path(__file__).parents[1] / "peers" / "clients.json").read_text())
BEGUN_NS: Final = time.time_ns() // 10**9 * 10**9 - 900 * 10**9
"""When the traces began: a quarter of an hour ago."""

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Return an open process that has stored the traces."""
    with running(tmp_path_factory.mktemp("clients") / "data") as made:
        send(made)
        yield made


def send(platform: Platform, headers: Mapping[str, str] | None = None) -> None:
    """Let a process store the traces."""
    for request in requests(start_ns=BEGUN_NS):
        assert platform.post("traces", request.SerializeToString(), headers).status == 200
    platform.wait_until_stored()


def places() -> dict[str, object]:
    """Return what stands in braces in the recorded requests."""
    start_s = BEGUN_NS // 10**9 - 1
    end_s = start_s + 900
    times = {"s": 1, "ms": 1_000, "us": 1_000_000}
    return {
        "checkout": CHECKOUT,
        "short": SHORT,
        "unknown": UNKNOWN,
        **{f"start_{unit}": start_s * factor for unit, factor in times.items()},
        **{f"end_{unit}": end_s * factor for unit, factor in times.items()},
    }


def replay(platform: Platform, request: Mapping[str, str], *, more: str = "") -> Answer:
    """Send a recorded request as it is and return its answer, unpacked as the client would."""
    accept = f"Accept: {request['accept']}\r\n" if "accept" in request else ""
    path = request["path"].format(**places())
    lines = [f"{request.get('method', 'GET')} {path} HTTP/1.1", f"Host: 127.0.0.1:{platform.http_port}"]
    head = "\r\n".join(lines) + "\r\n" + CLIENTS["headers"][request["client"]].format(accept=accept) + more + "\r\n"
    with create_connection(("127.0.0.1", platform.http_port), timeout=60) as connection:
        connection.sendall(head.encode())
        response = HTTPResponse(connection)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read()
    if headers.get("content-encoding") == "gzip":
        body = gzip.decompress(body)
    return Answer(response.status, headers, body)


def _spans(data: TracesData) -> int:
    return sum(len(scoped.spans) for block in data.resource_spans for scoped in block.scope_spans)


def _trace_v2(answer: Answer, count: int) -> None:
    """Read `tempopb.TraceByIDResponse` as Grafana does: a trace, and whether it is partial."""
    assert answer.headers["content-type"] == "application/protobuf"
    response: Any = trace_by_id_response()
    response.ParseFromString(answer.body)
    assert (_spans(TracesData.FromString(response.trace.SerializeToString())), response.status) == (count, 0)


def trace_by_id_response() -> Message:
    """Return an empty message with the members of Tempo's answer, its trace not read further."""
    file = descriptor_pb2.FileDescriptorProto(name="tempo_for_tests.proto", package="tempo", syntax="proto3")
    trace = file.message_type.add(name="Trace")
    trace.field.add(name="spans", number=1, label=3, type=12)
    response = file.message_type.add(name="TraceByIDResponse")
    response.field.add(name="trace", number=1, label=1, type=11, type_name=".tempo.Trace")
    response.field.add(name="status", number=3, label=1, type=5)
    response.field.add(name="message", number=4, label=1, type=9)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tempo.TraceByIDResponse"))()


def _echo(answer: Answer, _: int) -> None:
    assert answer.body == b"echo"


def _trace_v1(answer: Answer, count: int) -> None:
    assert answer.headers["content-type"] == "application/protobuf"
    assert _spans(TracesData.FromString(answer.body)) == count


def _search(answer: Answer, count: int) -> None:
    """Read what Grafana's table shows, in the types that its structs have."""
    traces = answer.json()["traces"]
    assert len(traces) == count
    for trace in traces:
        assert isinstance(trace["startTimeUnixNano"], str)
        assert isinstance(trace.get("durationMs", 0), int)
        for spanset in trace["spanSets"]:
            assert spanset["matched"] >= len(spanset["spans"]) > 0
            assert all(isinstance(span["durationNanos"], str) for span in spanset["spans"])


def _scopes(answer: Answer, _: int) -> None:
    scopes = {scope["name"]: scope["tags"] for scope in answer.json()["scopes"]}
    assert {"span", "resource", "event", "intrinsic"} <= set(scopes)
    assert "customer" in scopes["span"]
    assert "service.name" in scopes["resource"]


def _values(answer: Answer, count: int) -> None:
    values = answer.json()["tagValues"]
    assert len(values) == count
    assert all(set(value) == {"type", "value"} for value in values)


def _series(answer: Answer, count: int) -> None:
    """Read series as Grafana's strict parser does: a member that it does not know would be an error."""
    document = answer.json()
    assert set(document) <= {"series", "metrics"}
    assert set(document["metrics"]) <= {"inspectedBytes"}
    assert not count or len(document["series"]) == count
    assert document["series"]
    for series in document["series"]:
        assert set(series) <= {"labels", "samples", "exemplars"}
        assert all(isinstance(sample["timestampMs"], str) for sample in series["samples"])


def _instant(answer: Answer, count: int) -> None:
    series = answer.json()["series"]
    assert [set(one) for one in series] == [{"labels", "value"}] * count


def _data(answer: Answer, count: int) -> Any:  # noqa: ANN401 - a document
    document = answer.json()
    assert answer.headers["content-type"] == "application/json"
    assert document["errors"] is None
    assert len(document["data"]) == count
    return document["data"]


def _names(answer: Answer, count: int) -> None:
    assert all(isinstance(name, str) for name in _data(answer, count))


def _operations(answer: Answer, count: int) -> None:
    assert all(set(operation) == {"name", "spanKind"} for operation in _data(answer, count))


def _traces(answer: Answer, count: int) -> None:
    for trace in _data(answer, count):
        assert all(span["processID"] in trace["processes"] for span in trace["spans"])


def _dependencies(answer: Answer, _: int) -> None:
    found = {(edge["parent"], edge["child"]) for edge in answer.json()["data"]}
    assert {("edge", "checkout"), ("checkout", "payment")} <= found


def _error(answer: Answer, status: int) -> None:
    assert [error["code"] for error in answer.json()["errors"]] == [status]


def _services(answer: Answer, count: int) -> None:
    assert len(answer.json()["services"]) == count


def _span_names(answer: Answer, count: int) -> None:
    assert len(answer.json()["operations"]) == count


READ: Final[Mapping[str, Callable[[Answer, int], object]]] = {
    "echo": _echo,
    "trace v1": _trace_v1,
    "trace v2": _trace_v2,
    "search": _search,
    "scopes": _scopes,
    "values": _values,
    "series": _series,
    "instant": _instant,
    "names": _names,
    "operations": _operations,
    "traces": _traces,
    "dependencies": _dependencies,
    "error": _error,
    "services": _services,
    "span names": _span_names,
}


@pytest.mark.parametrize("request_", CLIENTS["requests"], ids=lambda one: one["does"])
def test_what_a_client_sends_is_answered_as_it_reads_it(platform: Platform, request_: dict[str, str]) -> None:
    """Each request as the client's source makes it, each answer read as the client reads it."""
    answer = replay(platform, request_)
    kind, _, count = request_["answer"].partition(" of ")
    assert answer.status == (int(count) if kind == "error" else 200), answer.body
    READ[kind](answer, int(count or 0))


def test_an_open_server_reads_for_the_tenant_that_grafana_names(platform: Platform) -> None:
    """A data source with the header of a tenant sees that tenant's traces and no others."""
    services = next(one for one in CLIENTS["requests"] if one["does"] == "Jaeger: save & test")
    assert replay(platform, services, more="X-Scope-OrgID: nobody\r\n").json()["data"] is None
    assert len(replay(platform, services, more="X-Scope-OrgID: default\r\n").json()["data"]) == 4


def test_a_server_with_keys_lets_data_sources_in_by_bearer_and_by_basic(tmp_path: Path) -> None:
    """Both ways that Grafana has to send a secret; without one, save & test fails."""
    echo, services = CLIENTS["requests"][0], {"client": "grafana", "path": "/jaeger/api/services"}
    both = create_key(tmp_path / "data", tenant="shop", scopes=("ingest", "read"))
    writer = create_key(tmp_path / "data", tenant="shop", scopes=("ingest",))
    with running(tmp_path / "data") as platform:
        bearer = f"Authorization: Bearer {both}\r\n"
        basic = f"Authorization: Basic {b64encode(f'grafana:{both}'.encode()).decode()}\r\n"
        assert replay(platform, echo, more=bearer).body == replay(platform, echo, more=basic).body == b"echo"
        assert replay(platform, echo).status == replay(platform, services).status == 401
        refused = replay(platform, services, more=f"Authorization: Bearer {writer}\r\n")
        assert (refused.status, refused.json()["errors"][0]["code"]) == (403, 403)
