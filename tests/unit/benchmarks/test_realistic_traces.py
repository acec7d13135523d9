from collections import Counter
from collections.abc import Iterator
from itertools import pairwise

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from benchmarks import realistic
from benchmarks.realistic import landscape

START_NS = 1_767_225_600 * 10**9
HOUR_NS = 3600 * 10**9
SPANS = 60_000
PER_ROUND = 25_000  # two whole rounds and a rest

Found = tuple[str, Span]


def service_of(resource: Resource) -> str:
    """Return the service a resource names."""
    return next(item.value.string_value for item in resource.attributes if item.key == "service.name")


def spans_of(body: realistic.Body) -> Iterator[Found]:
    """Yield the spans of a body with their services."""
    for block in ExportTraceServiceRequest.FromString(body.data).resource_spans:
        for scope in block.scope_spans:
            for span in scope.spans:
                yield service_of(block.resource), span


@pytest.fixture(scope="module")
def bodies() -> list[realistic.Body]:
    """Return the bodies under test."""
    return list(realistic.traces(SPANS, start_ns=START_NS, spans_per_round=PER_ROUND))


@pytest.fixture(scope="module")
def spans(bodies: list[realistic.Body]) -> list[Found]:
    """Return the spans under test."""
    return [found for body in bodies for found in spans_of(body)]


@pytest.fixture(scope="module")
def by_id(spans: list[Found]) -> dict[bytes, Found]:
    """Return spans and their services by id."""
    return {span.span_id: (service, span) for service, span in spans}


def test_exactly_the_spans_asked_for(bodies: list[realistic.Body], spans: list[Found]) -> None:
    """Bodies hold the spans asked for, say how many, and none is larger than allowed."""
    assert len(spans) == sum(body.items for body in bodies) == SPANS
    assert max(body.items for body in bodies) == 512


def test_ids_are_unique_over_rounds(spans: list[Found], by_id: dict[bytes, Found]) -> None:
    """No span id repeats, also when the templates do, and ids have their lengths."""
    assert len(by_id) == len(spans)
    assert {(len(span.trace_id), len(span.span_id)) for _, span in spans} == {(16, 8)}


def test_every_trace_is_one_tree_of_5_to_80_spans(spans: list[Found], by_id: dict[bytes, Found]) -> None:
    """Each trace has one root, parents of its own trace, and a size within bounds, small ones most often."""
    sizes = Counter(span.trace_id for _, span in spans)
    roots = Counter(span.trace_id for _, span in spans if not span.parent_span_id)
    assert roots == dict.fromkeys(sizes, 1)
    assert all(by_id[span.parent_span_id][1].trace_id == span.trace_id for _, span in spans if span.parent_span_id)
    assert min(sizes.values()) == 5
    assert max(sizes.values()) == 80
    assert sorted(sizes.values())[len(sizes) // 2] < sum(sizes.values()) / len(sizes)


def test_children_lie_inside_their_parents(spans: list[Found], by_id: dict[bytes, Found]) -> None:
    """A child starts and ends within its parent; a consumer starts when its producer has ended."""
    for _, span in spans:
        assert span.start_time_unix_nano < span.end_time_unix_nano
        if not span.parent_span_id:
            continue
        parent = by_id[span.parent_span_id][1]
        if span.kind == Span.SPAN_KIND_CONSUMER:
            assert span.start_time_unix_nano >= parent.end_time_unix_nano
        else:
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
            assert span.end_time_unix_nano <= parent.end_time_unix_nano


def test_traces_fill_the_time_asked_for(spans: list[Found]) -> None:
    """Traces start over the whole hour, in every minute of it."""
    starts = [span.start_time_unix_nano for _, span in spans if not span.parent_span_id]
    assert min(starts) >= START_NS
    assert max(starts) < START_NS + HOUR_NS + 60 * 10**9
    assert len({start // (60 * 10**9) for start in starts}) >= 60


def test_events_lie_inside_and_links_lead_to_producers(spans: list[Found], by_id: dict[bytes, Found]) -> None:
    """Events happen within their span; links name a producer that ended before."""
    links = 0
    for _, span in spans:
        assert all(span.start_time_unix_nano <= one.time_unix_nano <= span.end_time_unix_nano for one in span.events)
        for link in span.links:
            producer = by_id[link.span_id][1]
            assert producer.trace_id == link.trace_id != span.trace_id
            assert producer.kind == Span.SPAN_KIND_PRODUCER
            assert producer.end_time_unix_nano <= span.start_time_unix_nano
            links += 1
    assert links > 100


def test_one_percent_fail_and_failures_spread_up(spans: list[Found], by_id: dict[bytes, Found]) -> None:
    """One span in a hundred failed; most of them have a failed parent, some an exception with a stack trace."""
    failed = [span for _, span in spans if span.status.code == Status.STATUS_CODE_ERROR]
    assert len(failed) / len(spans) == pytest.approx(0.01, abs=0.001)
    spread = [one for one in failed if by_id.get(one.parent_span_id, ("", Span()))[1].status.code]
    assert len(spread) > len(failed) / 3
    exceptions = [event for span in failed for event in span.events if event.name == "exception"]
    assert len(exceptions) > len(failed) / 3
    assert all("exception.stacktrace" in {item.key for item in event.attributes} for event in exceptions)


def test_forty_services_three_hundred_operations(spans: list[Found]) -> None:
    """Every service and operation of the landscape is there."""
    company = landscape.build()
    assert {service for service, _ in spans} == {service.name for service in company.services}
    assert len(company.services) == 40
    wanted = {(operation.service.name, operation.name) for operation in company.operations}
    found = {(service, span.name) for service, span in spans}
    assert len(wanted) == landscape.OPERATIONS == 300
    assert found == wanted


def test_service_map_follows_the_landscape(spans: list[Found], by_id: dict[bytes, Found]) -> None:
    """A service calls only services that the landscape says it calls, or whose topics it publishes."""
    company = landscape.build()
    allowed = {(service.name, callee) for service in company.services for callee in service.calls}
    for service in company.services:
        consumers = [point for topic in service.publishes for point in company.consumers[topic]]
        allowed |= {(service.name, point.operation.service.name) for point in consumers}
    parents = [(by_id[span.parent_span_id][0], service) for service, span in spans if span.parent_span_id]
    edges = {(caller, callee) for caller, callee in parents if caller != callee}
    assert edges <= allowed
    assert len(edges) > 60


def test_attributes_are_ten_on_average_and_of_every_kind(spans: list[Found]) -> None:
    """A span has about ten attributes, no key twice, and every kind of value occurs."""
    keys = [[item.key for item in span.attributes] for _, span in spans]
    assert sum(map(len, keys)) / len(spans) == pytest.approx(10, abs=0.7)
    assert all(len(set(names)) == len(names) for names in keys)
    kinds = {item.value.WhichOneof("value") for _, span in spans for item in span.attributes}
    assert kinds == {
        "string_value", "int_value", "double_value", "bool_value", "array_value", "kvlist_value", "bytes_value",
    }  # fmt: skip


def whole_numbers(spans: list[Found], key: str) -> Counter[int]:
    """Return how often each value of an int attribute occurs."""
    return Counter(item.value.int_value for _, span in spans for item in span.attributes if item.key == key)


def test_values_vary_between_rounds_and_are_skewed(spans: list[Found]) -> None:
    """User ids are many, some frequent; sizes too; offsets are evenly any number."""
    users = Counter(item.value.string_value for _, span in spans for item in span.attributes if item.key == "user.id")
    assert len(users) > 1000
    assert users.most_common(1)[0][1] > 20 * users.total() / len(users)
    sizes = whole_numbers(spans, "http.response.body.size")
    assert len(sizes) > 1000
    assert sum(count for _, count in sizes.most_common(20)) > 0.2 * sizes.total()
    offsets = whole_numbers(spans, "messaging.kafka.offset")
    assert len(offsets) > 0.8 * offsets.total()
    assert min(*sizes, *offsets) >= 128
    assert max(*sizes, *offsets) <= 16_383


def test_resources_have_eight_to_ten_attributes(bodies: list[realistic.Body]) -> None:
    """Resources describe several instances and versions a service with 8 to 10 attributes."""
    resources = {
        block.resource.SerializeToString(): block.resource
        for body in bodies
        for block in ExportTraceServiceRequest.FromString(body.data).resource_spans
    }
    assert {len(one.attributes) for one in resources.values()} == {8, 9, 10}
    instances = Counter(service_of(one) for one in resources.values())
    assert max(instances.values()) > 2


def test_durations_never_repeat_exactly(spans: list[Found]) -> None:
    """Durations are not copied from the templates: hardly any occurs twice."""
    durations = Counter(span.end_time_unix_nano - span.start_time_unix_nano for _, span in spans)
    assert len(durations) > 0.95 * len(spans)


@pytest.mark.parametrize(("style", "resources_max"), [("sdk", 1), ("collector", 20)])
def test_styles_differ_in_resources_a_body(style: realistic.Style, resources_max: int) -> None:
    """An SDK's body has one resource, a Collector's a few."""
    made = [ExportTraceServiceRequest.FromString(body.data) for body in realistic.traces(5000, start_ns=0, style=style)]
    counts = [len(request.resource_spans) for request in made]
    assert max(counts) <= resources_max
    assert (max(counts) > 1) == (style == "collector")


def test_same_arguments_same_bytes_and_seeds_differ() -> None:
    """The seed decides every byte."""
    first, again, other = (list(realistic.traces(2000, seed=seed, start_ns=START_NS)) for seed in (7, 7, 8))
    assert first == again
    ids = [{span.span_id for body in made for _, span in spans_of(body)} for made in (first, other)]
    assert not ids[0] & ids[1]


@pytest.mark.parametrize("spans", [1, 4, 5, 81, 84, 86, 160])
def test_small_counts_are_exact_too(spans: int) -> None:
    """Any count is met exactly, by whole traces."""
    assert sum(body.items for body in realistic.traces(spans, start_ns=START_NS)) == spans


def test_bodies_come_roughly_in_the_order_of_time(bodies: list[realistic.Body]) -> None:
    """Within a round full bodies follow each other in time, as exporters send them."""
    full = [body for body in bodies[:40] if body.items == 512]
    last = [max(span.end_time_unix_nano for _, span in spans_of(body)) for body in full]
    assert sum(after >= before for before, after in pairwise(last)) > 0.8 * (len(last) - 1)
