from collections.abc import Iterator

import numpy as np
import pytest

from benchmarks.incidents import make_incident
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.error_correlation.correlation import Asked, Correlation, correlate
from homeostat_server.query.error_correlation.findings import explain
from homeostat_server.query.error_correlation.sampling import Reading, Share, by_hash, choose_share, joined
from homeostat_server.query.window import Window
from homeostat_server.store.testing import MemoryStore
from tests.incidents import is_true
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore, filled_store

HOUR_NS = 3_600 * 10**9


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store


def share_of(spans: int, *, hours: int) -> Share:
    """Return which share is read of so many spans in a window of so many hours."""
    store = MemoryStore()
    store.rows = [{"spans": spans}]
    reading = Reading(reader=store, tenant=Tenant("acme"), windows=[Window(NOW_NS - hours * HOUR_NS, NOW_NS)])
    return choose_share(reading, spans_wanted=200_000)


def test_few_spans_are_read_whole() -> None:
    """The answer is exact."""
    share = share_of(200_000, hours=24)
    assert (share.is_all, share.of_all, share.conditions(), share.parameters()) == (True, 1, [], {})


def test_many_spans_are_sampled_by_the_ids_of_their_traces() -> None:
    """About as many as are wanted come from a short window, in all of its stretches."""
    share = share_of(2_000_000, hours=1)
    assert (share.how, share.part, share.every) == ("key", 0.1, 1)
    assert int(str(share.parameters()["trace_id_end"]), 16) / 2**128 == pytest.approx(0.1)


def test_a_long_window_is_read_in_slices() -> None:
    """Every third of 288 stretches, of these three times the share."""
    share = share_of(20_000_000, hours=24)
    assert (share.how, share.every) == ("key", 3)
    assert share.of_all == pytest.approx(0.01)
    starts = np.array([0, 300, 600, 900, 1_199, 899]) * 10**9
    ends = np.array([1, 301, 601, 901, 1_201, 901]) * 10**9
    assert share.has(starts, ends).tolist() == [True, False, False, True, False, False]
    slices = share.slices(Window(1_000 * 10**9, 2_000 * 10**9))
    assert slices == {"slice_first_s": 900, "slice_end_s": 2_000, "period_s": 900}


def test_a_share_by_hash_is_about_as_large() -> None:
    """One of so many."""
    share = by_hash(Share(how="key", part=0.3))
    assert (share.how, share.parameters()) == ("hash", {"one_of": 3})


def test_windows_that_touch_are_read_at_once() -> None:
    """Others are not."""
    windows = [Window(20, 30), Window(0, 10), Window(5, 15), Window(30, 40)]
    assert joined(windows) == [Window(0, 15), Window(20, 40)]


def sampled(filled: FilledStore, *, prefix: bytes) -> tuple[Correlation, Tenant, Asked]:
    """Ask about an incident with fewer spans than there are; trace ids begin with some bytes."""
    incident = make_incident("bad_version", seed=1, end_ns=NOW_NS, requests=500)
    for request in incident.requests:
        for span in request.resource_spans[0].scope_spans[0].spans:
            span.trace_id = prefix + span.trace_id[len(prefix) :]
    tenant = filled.new_tenant()
    filled.insert(tenant, *incident.requests)
    asked = Asked(window=Window(*incident.during), baseline=Window(*incident.before), spans_wanted=10_000)
    findings = explain(filled.store, tenant=tenant, asked=asked, causes_max=10)
    assert is_true(findings.causes[0], incident.truth)
    assert 0 < findings.sampled.margin < 0.2
    assert findings.now.requests == pytest.approx(500, rel=0.35)
    return correlate(filled.store, tenant=tenant, asked=asked), tenant, asked


def test_a_sample_finds_the_same_cause(filled: FilledStore) -> None:
    """Numbers are estimates for all, and said to be."""
    correlation, _, _ = sampled(filled, prefix=b"")
    assert correlation.share.how == "key"
    assert 0 < correlation.share.of_all < 1


def test_ids_that_are_not_random_are_sampled_by_a_hash(filled: FilledStore) -> None:
    """As where ids begin with the time: by key, all or none of them would be taken."""
    correlation, _, _ = sampled(filled, prefix=b"\x69\x55\x10\x00")
    assert correlation.share.how == "hash"
