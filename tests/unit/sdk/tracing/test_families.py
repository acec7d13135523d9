import importlib
import importlib.util
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, StatusCode, TraceFlags

from homeostat.propagation import bound
from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, SpanAttributes, family_span
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.families import (
    FAMILIES,
    cache_span,
    consumer_span,
    database_span,
    event_span,
    governance_span,
    http_client_span,
    inference_span,
    loop_span,
    mesh_span,
    producer_span,
    record_cache_lookup,
    record_http_response,
    record_inference_usage,
    record_retrieval,
    record_security_outcome,
    retrieval_span,
    rpc_client_span,
    rpc_server_span,
    security_span,
)
from tests.recorded_spans import Recorder, attributes_of

OTHER = SpanContext(7, 9, is_remote=True, trace_flags=TraceFlags(1))
CONVENTIONS = (
    *("client", "cloudevents", "db", "error", "gen_ai", "http", "messaging", "network"),
    *("rpc", "security_rule", "server", "url", "user", "user_agent"),
)


def conventional(package: str) -> set[str]:
    """Return the names of attributes that OpenTelemetry's package of conventions defines."""
    names: set[str] = set()
    for convention in CONVENTIONS:
        path = f"opentelemetry.semconv.{package}.{convention}_attributes"
        if importlib.util.find_spec(path) is not None:
            values = vars(importlib.import_module(path)).values()
            names.update(value for value in values if isinstance(value, str) and re.fullmatch(r"[a-z_.]+", value))
    return names


STABLE = conventional("attributes")
IN_DEVELOPMENT = conventional("_incubating.attributes") - STABLE


def ended(recorder: Recorder, active: ActiveSpan) -> ReadableSpan:
    """Run an empty block and return its span."""
    with active:
        pass
    return recorder.only()


def test_http(recorder: Recorder) -> None:
    """A call over HTTP says method, address without secrets, server and status."""
    with http_client_span(
        "get", "https://u:p@shop.example/orders/5?token=t&page=2", template="/orders/{id}", resend_count=1
    ) as current:
        record_http_response(current, 404)
    span = recorder.only()
    assert (span.name, span.kind) == ("GET /orders/{id}", SpanKind.CLIENT)
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "url.full": "https://REDACTED:REDACTED@shop.example/orders/5?token=REDACTED&page=2",
        "url.template": "/orders/{id}",
        "http.request.resend_count": 1,
        "server.address": "shop.example",
        "server.port": 443,
        "http.response.status_code": 404,
        "error.type": "404",
    }
    assert span.status.status_code is StatusCode.ERROR


def test_http_of_an_unknown_method(recorder: Recorder) -> None:
    """A method that nobody knows is `_OTHER`, and so is its name; an address that is none has no server."""
    with http_client_span("BREW", "http://[pot") as current:
        record_http_response(current, 200)
    span = recorder.only()
    assert (span.name, span.status.status_code) == ("HTTP", StatusCode.UNSET)
    assert attributes_of(span) == {
        "http.request.method": "_OTHER",
        "http.request.method_original": "BREW",
        "url.full": "http://[pot",
        "http.response.status_code": 200,
    }


def test_rpc(recorder: Recorder) -> None:
    """Both sides of a procedure call say system and method."""
    with (
        rpc_client_span("grpc", "orders.Orders/Create", server_address="orders", server_port=50051),
        rpc_server_span("grpc", "orders.Orders/Create", client_address="10.0.0.1"),
    ):
        pass
    server, client = recorder.ended
    assert (client.kind, server.kind) == (SpanKind.CLIENT, SpanKind.SERVER)
    assert attributes_of(client) == {
        "rpc.system.name": "grpc",
        "rpc.method": "orders.Orders/Create",
        "server.address": "orders",
        "server.port": 50051,
    }
    assert attributes_of(server)["client.address"] == "10.0.0.1"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"collection": "orders"}, "SELECT orders"),
        ({"namespace": "shop"}, "SELECT shop"),
        ({"summary": "SELECT orders items"}, "SELECT orders items"),
        ({}, "SELECT"),
    ],
)
def test_database(recorder: Recorder, given: dict[str, Any], name: str) -> None:
    """A question to a database is named by its summary, or by operation and target."""
    span = ended(recorder, database_span("postgresql", "SELECT", query="SELECT * FROM orders WHERE id = $1", **given))
    assert (span.name, span.kind) == (name, SpanKind.CLIENT)
    assert attributes_of(span)["db.query.text"] == "SELECT * FROM orders WHERE id = $1"
    assert attributes_of(span)["db.system.name"] == "postgresql"


def test_cache(recorder: Recorder) -> None:
    """A look into a cache says whether it was a hit; one with a database behind it is a client's."""
    with cache_span("get", "prices", key="p1", ttl_s=60.0) as current:
        record_cache_lookup(current, hit=True, size_bytes=10)
    span = recorder.only()
    assert (span.name, span.kind) == ("get prices", SpanKind.INTERNAL)
    assert attributes_of(span) == {
        "cache.operation": "get",
        "cache.name": "prices",
        "cache.key": "p1",
        "cache.ttl_s": 60.0,
        "cache.hit": True,
        "cache.item.size_bytes": 10,
    }


def test_cache_behind_a_server(recorder: Recorder) -> None:
    """The database of a cache is said as databases are."""
    with cache_span("get", "prices", system="redis") as current:
        record_cache_lookup(current, hit=False)
    assert recorder.only().kind is SpanKind.CLIENT
    assert attributes_of(recorder.only())["db.system.name"] == "redis"


def test_messaging(recorder: Recorder) -> None:
    """A message that is sent and a batch that is handled say broker, destination and operation; batches use links."""
    with producer_span("kafka", "orders", message_id="m1"):
        pass
    with consumer_span("kafka", "orders", group="billing", links=[Link(OTHER)]):
        pass
    sent, handled = recorder.ended
    assert (sent.name, sent.kind) == ("send orders", SpanKind.PRODUCER)
    assert (handled.name, handled.kind) == ("process orders", SpanKind.CONSUMER)
    assert attributes_of(sent)["messaging.message.id"] == "m1"
    assert attributes_of(handled)["messaging.batch.message_count"] == 1
    assert handled.links[0].context == OTHER


def test_event_processing(recorder: Recorder) -> None:
    """An event that is handled says what it is by CloudEvents' names, and which attempt it is."""
    span = ended(
        recorder,
        event_span("order.created", event_id="e1", source="/shop", handler="billing", attempt=2, links=[Link(OTHER)]),
    )
    assert (span.name, span.kind) == ("handle order.created", SpanKind.CONSUMER)
    assert attributes_of(span) == {
        "cloudevents.event_type": "order.created",
        "cloudevents.event_id": "e1",
        "cloudevents.event_source": "/shop",
        "event.handler": "billing",
        "event.attempt": 2,
    }
    assert len(span.links) == 1


def test_ml_inference(recorder: Recorder) -> None:
    """A generative model is described by OpenTelemetry's conventions, with what the answer took."""
    with inference_span("chat", "large-1", provider="anthropic", attributes={"ml.cost_usd": 0.01}) as current:
        record_inference_usage(
            current, input_tokens=10, output_tokens=20, model="large-1-2026", finish_reasons=["stop"]
        )
    span = recorder.only()
    assert (span.name, span.kind) == ("chat large-1", SpanKind.CLIENT)
    assert attributes_of(span) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "large-1",
        "ml.cost_usd": 0.01,
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.response.model": "large-1-2026",
        "gen_ai.response.finish_reasons": ("stop",),
    }


def test_ml_inference_of_a_model_of_ones_own(recorder: Recorder) -> None:
    """A model that is not generative runs here and has its own names."""
    span = ended(recorder, inference_span("predict", "churn", version="7"))
    assert (span.name, span.kind) == ("predict churn", SpanKind.INTERNAL)
    assert attributes_of(span) == {"ml.model.name": "churn", "ml.model.version": "7", "ml.task": "predict"}


def test_retrieval(recorder: Recorder) -> None:
    """A search says where, how and how much it found, and not what was asked."""
    with retrieval_span("handbook", strategy="hybrid", wanted=5, model="embed-1", system="qdrant") as current:
        record_retrieval(current, found=3, top_score=0.9)
    span = recorder.only()
    assert span.name == "retrieval handbook"
    assert attributes_of(span) == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "handbook",
        "gen_ai.request.model": "embed-1",
        "db.system.name": "qdrant",
        "retrieval.strategy": "hybrid",
        "retrieval.wanted.count": 5,
        "retrieval.found.count": 3,
        "retrieval.top_score": 0.9,
    }


def test_autonomic_loop(recorder: Recorder) -> None:
    """A phase of a loop says which, of what, and whether it acts."""
    span = ended(
        recorder,
        loop_span(
            "scaling",
            "plan",
            iteration=4,
            target="workers",
            goal="p99 < 1 s",
            dry_run=True,
            attributes={"loop.decision": "add"},
        ),
    )
    assert span.name == "scaling plan"
    assert attributes_of(span) == {
        "loop.name": "scaling",
        "loop.phase": "plan",
        "loop.iteration": 4,
        "loop.target": "workers",
        "loop.goal": "p99 < 1 s",
        "loop.dry_run": True,
        "loop.decision": "add",
    }


def test_mesh_network(recorder: Recorder) -> None:
    """What nodes do with each other says who, with whom and how far, from either side."""
    span = ended(recorder, mesh_span("route", "fleet", node="n1", peer="n2", hop=2, kind=SpanKind.SERVER))
    assert (span.name, span.kind) == ("route fleet", SpanKind.SERVER)
    assert attributes_of(span) == {
        "mesh.operation": "route",
        "mesh.name": "fleet",
        "mesh.node.id": "n1",
        "mesh.peer.id": "n2",
        "mesh.hop": 2,
    }


def test_security(recorder: Recorder) -> None:
    """A check says how it went; a denial is no error of the check."""
    with security_span("authorize", mechanism="rbac", resource="invoice") as current:
        record_security_outcome(current, "denied", reason="role", risk_score=0.2)
    span = recorder.only()
    assert (span.name, span.status.status_code) == ("authorize", StatusCode.UNSET)
    assert attributes_of(span) == {
        "security.action": "authorize",
        "security.mechanism": "rbac",
        "security.resource": "invoice",
        "security.outcome": "denied",
        "security.reason": "role",
        "security.risk_score": 0.2,
    }


def test_governance(recorder: Recorder) -> None:
    """An action of governance says which policy it is about and who decides."""
    span = ended(recorder, governance_span("approve", "retention", subject="dataset", approver="officer"))
    assert span.name == "approve retention"
    assert attributes_of(span) == {
        "governance.action": "approve",
        "governance.policy": "retention",
        "governance.subject": "dataset",
        "governance.approver": "officer",
    }


def test_there_are_eleven_families() -> None:
    """Each family has a name of its own, a purpose, a way of naming, and attributes with a meaning."""
    assert len({family.name for family in FAMILIES}) == 11
    for family in FAMILIES:
        assert family.purpose.endswith(".")
        assert family.naming
        assert all(declared.meaning.endswith(".") for declared in family.declared)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_names_of_opentelemetry_are_opentelemetrys(family: Family) -> None:
    """An attribute that a family attributes to OpenTelemetry is defined there, and a stable one is stable there."""
    expected = {Source.STABLE: STABLE, Source.DEVELOPMENT: IN_DEVELOPMENT}
    for declared in family.declared:
        if declared.source is Source.HOMEOSTAT:
            assert declared.name not in STABLE | IN_DEVELOPMENT
        else:
            assert declared.name in expected[declared.source]


def test_whose_work_it_is_stands_on_every_family(recorder: Recorder) -> None:
    """Tenant, user and correlation id come from the context, or are given."""
    with bound(tenant="acme", user="u1", correlation_id="c1"):
        assert SpanAttributes(FAMILIES[0]).built() == {"tenant.id": "acme", "user.id": "u1", "correlation.id": "c1"}
        with cache_span("get", "prices", attributes={"tenant.id": "other"}):
            pass
    said = recorder.only().attributes or {}
    assert (said["tenant.id"], said["user.id"], said["correlation.id"]) == ("other", "u1", "c1")


def test_a_builder_takes_whose_work_it_is() -> None:
    """Tenant, user and correlation id have methods of their own, which win over the context."""
    with bound(tenant="acme"):
        built = SpanAttributes(FAMILIES[0]).tenant("t").user("u").correlation("c").put("url.path", "/").built()
    assert built == {"tenant.id": "t", "user.id": "u", "correlation.id": "c", "url.path": "/"}


def test_an_undeclared_name_is_dropped_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    """What a family does not declare does not get onto its spans; the log says so once, the count each time."""
    for _ in range(3):
        built = SpanAttributes(FAMILIES[0]).put("colour", "red").put_all({"url.path": "/", "url.query": None}).built()
        assert built == {"url.path": "/"}
    assert [record for record in caplog.records if "colour" in record.message] == caplog.records[:1]
    assert FAILURES.counts() == {"undeclared attribute colour of http": 3}


def test_a_family_of_ones_own(recorder: Recorder) -> None:
    """A service declares its own spans the same way."""
    orders = Family("orders", "An order.", "what is done", (Declared("order.lines", Shape.INTEGER, "Lines."),))
    with family_span(orders, "price", kind=SpanKind.INTERNAL, values={"order.lines": 3}, more={"x": 1}):
        pass
    assert attributes_of(recorder.only()) == {"order.lines": 3}


def test_a_name_that_is_declared_twice_is_told() -> None:
    """The same name twice is a mistake of who declares it, and no reason for a program not to start."""
    family = Family("f", "p", "n", (Declared("tenant.id", Shape.TEXT, "Again."),))
    assert "tenant.id" in family.names
    assert FAILURES.counts() == {"family f": 1}


RECORDERS: tuple[Callable[[Any], None], ...] = (
    lambda span: record_http_response(span, 500),
    lambda span: record_cache_lookup(span, hit=True),
    lambda span: record_retrieval(span, found=1),
    lambda span: record_inference_usage(span, input_tokens=1),
    lambda span: record_security_outcome(span, "denied"),
)


@pytest.mark.parametrize("record", RECORDERS)
def test_recording_never_raises(record: Callable[[Any], None]) -> None:
    """Something in the place of a span that fails at everything costs a count and nothing else."""
    record(object())
    assert sum(FAILURES.counts().values()) == 1


def test_a_helper_never_raises() -> None:
    """Values that cannot be read cost their attributes, not the block."""
    with family_span(FAMILIES[0], "s", kind=SpanKind.INTERNAL, values=5):  # type: ignore[arg-type]
        pass
    assert FAILURES.counts() == {"building the attributes of a span": 1}


def test_names_that_are_none_are_undeclared() -> None:
    """Whatever is put in the place of a name, the builder goes on."""
    assert SpanAttributes(FAMILIES[0]).put([], 1).built() == {}  # type: ignore[arg-type]


def test_addresses_of_any_kind_are_taken(recorder: Recorder) -> None:
    """HTTP clients have classes of their own for addresses."""
    with http_client_span("GET", httpx.URL("https://shop.example/a")):  # type: ignore[arg-type]
        pass
    assert attributes_of(recorder.only())["url.full"] == "https://shop.example/a"
