"""Keys and values of attributes against what was sent, counted one by one."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes.conditions import AttributeScope
from homeostat_server.query.binding import Binder
from homeostat_server.query.completion.listing import KeyFound, Spans, all_spans, list_keys, list_values
from homeostat_server.query.completion.sampling import SampleSizes
from homeostat_server.query.search.filters import SpanFilter
from homeostat_server.query.window import Window
from tests import otlp
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

WINDOW = Window(NOW_NS - 3_600 * 10**9, NOW_NS + 1)
EVERYWHERE = tuple(AttributeScope)


def said(**values: str | int) -> list[KeyValue]:
    """Return attributes; two underscores stand for a dot."""
    return [
        KeyValue(
            key=key.replace("__", "."),
            value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value),
        )
        for key, value in values.items()
    ]


@pytest.fixture
def tenant(filled: FilledStore) -> Tenant:
    """Return a tenant with three spans that say something everywhere."""
    tenant = filled.new_tenant()
    spans = [
        otlp.span(
            span_id=(1).to_bytes(8),
            attributes=said(http__method="GET", size=5),
            events=[Span.Event(name="e", attributes=said(exception__type="KeyError"))] * 2,
        ),
        otlp.span(span_id=(2).to_bytes(8), attributes=said(http__request__method="GET", size="5")),
        otlp.span(
            span_id=(3).to_bytes(8),
            name="POST /",
            attributes=said(http__request__method="POST"),
            links=[Span.Link(trace_id=otlp.TRACE_ID, span_id=otlp.SPAN_ID, attributes=said(reason="retry"))],
        ),
    ]
    resource = Resource(attributes=said(service__name="shop", deployment__environment="test"))
    scope = InstrumentationScope(name="lib", attributes=said(short=1))
    filled.insert(tenant, otlp.traces(*spans, resource=resource, scope=scope))
    return tenant


def keys(filled: FilledStore, tenant: Tenant, scopes: Sequence[AttributeScope], prefix: str = "") -> list[KeyFound]:
    """Return the keys that are found."""
    found = list_keys(filled.store, spans=all_spans(tenant, WINDOW), scopes=scopes, prefix=prefix, keys_max=100)
    assert not found.more
    assert found.sampled is None
    return [*found.keys]


def test_keys_of_every_scope_are_listed_with_counts_and_kinds(filled: FilledStore, tenant: Tenant) -> None:
    """The most frequent first; old and new names are one key."""
    found = [(key.scope.value, key.key, key.count, key.kinds) for key in keys(filled, tenant, EVERYWHERE)]
    assert found == [
        ("resource", "deployment.environment.name", 3, ("string",)),
        ("resource", "service.name", 3, ("string",)),
        ("scope", "otel.scope.name", 3, ("string",)),
        ("scope", "short", 3, ("int",)),
        ("span", "http.request.method", 3, ("string",)),
        ("event", "exception.type", 2, ("string",)),
        ("span", "size", 2, ("int", "string")),
        ("link", "reason", 1, ("string",)),
    ]


@pytest.mark.parametrize("prefix", ["http.m", "http.req"])
def test_a_prefix_of_any_name_finds_the_key(filled: FilledStore, tenant: Tenant, prefix: str) -> None:
    """By the names that were found, the most frequent first."""
    [key] = keys(filled, tenant, EVERYWHERE, prefix)
    assert key.names == ("http.request.method", "http.method")


@pytest.mark.parametrize(
    "case",
    [
        (AttributeScope.SPAN, "http.method", [("GET", 2), ("POST", 1)]),
        (AttributeScope.SPAN, "http.request.method", [("GET", 2), ("POST", 1)]),
        (AttributeScope.SPAN, "size", [("5", 2)]),
        (AttributeScope.SPAN, "other", []),
        (AttributeScope.RESOURCE, "deployment.environment.name", [("test", 3)]),
        (AttributeScope.SCOPE, "otel.library.name", [("lib", 3)]),
        (AttributeScope.SCOPE, "otel.scope.version", []),
        (AttributeScope.EVENT, "exception.type", [("KeyError", 2)]),
        (AttributeScope.LINK, "reason", [("retry", 1)]),
    ],
)
def test_values_are_counted_by_any_name(
    filled: FilledStore, tenant: Tenant, case: tuple[AttributeScope, str, list[tuple[str, int]]]
) -> None:
    """The same text of two kinds is one value."""
    scope, key, expected = case
    spans = all_spans(tenant, WINDOW)
    found = list_values(filled.store, spans=spans, scope=scope, key=key, prefix="", values_max=10)
    assert [(value.value, value.count) for value in found.values] == expected


def test_values_are_those_of_some_spans_and_begin_with_a_prefix(filled: FilledStore, tenant: Tenant) -> None:
    """With a condition, and with a bound that says when there is more."""
    binder = Binder()
    choice = SpanFilter(operation="GET /").chosen(binder)
    spans = Spans(tenant=tenant, window=WINDOW, choice=choice, binder=binder)
    ask = partial(list_values, filled.store, scope=AttributeScope.SPAN, key="http.method")
    assert [value.value for value in ask(spans=spans, prefix="", values_max=10).values] == ["GET"]
    assert ask(spans=spans, prefix="P", values_max=10).values == ()
    every = ask(spans=all_spans(tenant, WINDOW), prefix="", values_max=1)
    assert (every.more, len(every.values)) == (True, 1)


def numbered(trace_ids: Sequence[bytes]) -> list[Span]:
    """Return a span a trace, each with one of three values."""
    return [
        otlp.span(
            trace_id=trace_id,
            start_time_unix_nano=NOW_NS - number % 3_600 * 10**9,
            attributes=said(number=f"n{number % 3}"),
        )
        for number, trace_id in enumerate(trace_ids)
    ]


COUNT = 3_000


@pytest.mark.parametrize("begin", [b"", b"\x00" * 8, b"\xff" * 8])
def test_a_sample_counts_about_right_whatever_ids_are_like(filled: FilledStore, begin: bytes) -> None:
    """Ids that all begin alike are no sample: then whole stretches of time are looked at, or everything."""
    tenant = filled.new_tenant()
    ids = [begin + (number * 0x9E3779B97F4A7C15 % 2**64).to_bytes(8) + number.to_bytes(8) for number in range(COUNT)]
    filled.insert(tenant, otlp.traces(*numbered([trace_id[:16] for trace_id in ids])))
    spans = replace(all_spans(tenant, WINDOW), sizes=SampleSizes(first=COUNT // 3, enough=100))
    found = list_values(filled.store, spans=spans, scope=AttributeScope.SPAN, key="number", prefix="", values_max=10)
    expected = Counter(f"n{number % 3}" for number in range(COUNT))
    assert {value.value for value in found.values} == expected.keys()
    assert (found.sampled is None) == begin.startswith(b"\xff")
    for value in found.values:
        assert value.count == pytest.approx(expected[value.value], rel=0.2 if found.sampled else 0)
