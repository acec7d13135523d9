from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.query.cursor import NamePlace
from homeostat_server.query.services.figures import (
    Figures,
    OperationFigures,
    OperationPlace,
    ServiceFigures,
    list_operations,
    list_services,
)
from homeostat_server.query.window import Window
from tests.property.query.span_reference import BEGIN_NS, WINDOWS, WORLD, Seen, lower_quantile, request, within
from tests.telemetry_store import FilledStore

SETTINGS = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
ACCURACY = 0.005
ENTRY_KINDS = (2, 5)


def assert_figures(found: Figures, spans: Sequence[Seen], window: Window) -> None:
    """Compare figures with those of a plain list of spans."""
    errors = sum(seen.status == 2 for seen in spans)
    assert (found.requests, found.errors) == (len(spans), errors)
    assert found.rate == pytest.approx(len(spans) / ((window.end_ns - window.start_ns) / 1e9))
    assert found.error_rate == pytest.approx(errors / len(spans))
    for level, value in ((0.5, found.p50_ms), (0.95, found.p95_ms), (0.99, found.p99_ms)):
        exact_ms = lower_quantile([seen.took_ns for seen in spans], level) / 1e6
        assert value == pytest.approx(exact_ms, rel=ACCURACY * 1.001)


@SETTINGS
@given(world=WORLD, window=WINDOWS, size=st.integers(1, 3))
def test_figures_of_services_are_those_of_their_entry_spans(
    filled: FilledStore, world: list[Seen], window: Window, size: int
) -> None:
    """They equal a slow reference on every page; a service without entry spans has the figures of all its spans."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(world), received_ns=BEGIN_NS)
    found: list[ServiceFigures] = []
    after: NamePlace | None = None
    while not found or after:
        page = list_services(filled.store, tenant=tenant, window=window, services_max=size, after=after)
        found += page.items
        after = page.next_place
        if after is None:
            break
    by_service: dict[str, list[Seen]] = defaultdict(list)
    for seen in within(world, window):
        by_service[seen.service].append(seen)
    assert [service.name for service in found] == sorted(by_service)
    for service in found:
        spans = by_service[service.name]
        entry = [seen for seen in spans if seen.kind in ENTRY_KINDS]
        assert service.requests_are == ("entry" if entry else "all")
        assert service.spans == len(spans)
        assert service.first_ns == min(seen.start_ns for seen in spans)
        assert service.last_ns == max(seen.start_ns for seen in spans)
        assert_figures(service.figures, entry or spans, window)


@SETTINGS
@given(world=WORLD, window=WINDOWS, size=st.integers(1, 5))
def test_figures_of_operations_are_those_of_spans_of_one_name_and_kind(
    filled: FilledStore, world: list[Seen], window: Window, size: int
) -> None:
    """They equal a slow reference, by name and kind, on every page."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(world), received_ns=BEGIN_NS)
    found: list[OperationFigures] = []
    after: OperationPlace | None = None
    for _ in range(len(world) + 1):
        page = list_operations(
            filled.store, tenant=tenant, window=window, service="shop", operations_max=size, after=after
        )
        found += page.items
        after = page.next_place
        if after is None:
            break
    by_operation: dict[tuple[str, int], list[Seen]] = defaultdict(list)
    for seen in within(world, window):
        if seen.service == "shop":
            by_operation[seen.name, seen.kind].append(seen)
    assert [(operation.name, operation.kind) for operation in found] == sorted(by_operation)
    for operation in found:
        spans = by_operation[operation.name, operation.kind]
        assert_figures(operation.figures, spans, window)
        assert (operation.first_ns, operation.last_ns) == (
            min(seen.start_ns for seen in spans),
            max(seen.start_ns for seen in spans),
        )
