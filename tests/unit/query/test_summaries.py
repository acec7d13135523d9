from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from homeostat_server.exceptions import QueryLimit
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.service_map.asking import MapRequest, service_map
from homeostat_server.query.summaries import window as windows
from homeostat_server.query.summaries.buckets import BUCKET_NS
from homeostat_server.query.summaries.freshness import SETTLED_S
from homeostat_server.query.summaries.histograms import CELLS_MAX, Histograms, bins_of, values_of
from homeostat_server.query.summaries.keeping import KeptSummaries, State
from homeostat_server.query.summaries.peers import Peer, parse_peer
from homeostat_server.query.summaries.reading import read_bucket
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.query.window import Window
from homeostat_server.store.testing import MemoryStore
from tests.otlp import NOW_NS
from tests.said_spans import request
from tests.slow_traces import Said
from tests.telemetry_store import FilledStore, filled_store

BEGIN_NS = NOW_NS // BUCKET_NS * BUCKET_NS
FIVE_MINUTES = Window(BEGIN_NS, BEGIN_NS + BUCKET_NS)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store; each test takes a tenant of its own."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store


def chain(trace: int, spans: int) -> list[Said]:
    """Return one trace of so many spans."""
    return [
        Said(trace=trace, span=number + 1, parent=number, start_ns=BEGIN_NS + number, duration_ns=10)
        for number in range(spans)
    ]


def test_a_trace_that_is_too_large_is_left_out_and_counted(filled: FilledStore) -> None:
    """The others of its bucket are summed up in slices, on both sides of it."""
    tenant = filled.new_tenant()
    spans = [said for trace in (1, 2, 4, 5, 2**127) for said in chain(trace, 3)]
    filled.insert(tenant, request([*spans, *chain(3, 12)]))
    summary = read_bucket(filled.store, tenant=tenant, bucket_s=BEGIN_NS // 10**9, rows=27, slice_spans=10)
    assert summary.num_rows > 1
    assert (sum(summary["spans"].to_pylist()), sum(summary["left_out"].to_pylist())) == (15.0, 12.0)


def test_long_windows_trust_what_is_stored(filled: FilledStore) -> None:
    """Of more than six hours only what is not stored is looked for; the answer is the same."""
    tenant = filled.new_tenant()
    filled.insert(tenant, request(chain(1, 3)))
    summaries = Summaries(filled.store, tenant, KeptSummaries(), BEGIN_NS)
    day = Window(BEGIN_NS - 144 * BUCKET_NS, BEGIN_NS + 144 * BUCKET_NS)
    found = service_map(summaries, MapRequest(window=day))
    assert [node.figures.calls for node in getattr(found, "nodes", ())] == [3.0]


def test_a_late_parent_in_the_bucket_before_is_seen_at_once(filled: FilledStore) -> None:
    """What was made before it came is not used again."""
    tenant, kept = filled.new_tenant(), KeptSummaries()
    child = Said(trace=1, span=2, parent=1, start_ns=BEGIN_NS, duration_ns=10)
    parent = Said(trace=1, span=1, parent=0, start_ns=BEGIN_NS - 1, duration_ns=20)
    for spans, seen in (([child], 0.0), ([parent], 1.0)):
        filled.insert(tenant, request(spans))
        summaries = Summaries(filled.store, tenant, kept, BEGIN_NS)
        assert summaries.of(FIVE_MINUTES, ["child_spans_seen"])["child_spans_seen"].to_pylist() == [seen]


def test_what_comes_into_the_next_bucket_counts_when_that_is_closed(filled: FilledStore) -> None:
    """While it grows, what was made stays; with it, the rest of a trace is on the path that began before."""
    tenant, kept = filled.new_tenant(), KeptSummaries()
    settled_ns = BEGIN_NS + 2 * BUCKET_NS + SETTLED_S * 10**9

    def on_path(now_ns: int) -> list[list[float]]:
        summaries = Summaries(filled.store, tenant, kept, now_ns)
        found: list[list[float]] = summaries.of(FIVE_MINUTES, ["work_on_path"])["work_on_path"].to_pylist()
        return found

    filled.insert(tenant, request([Said(trace=1, span=1, parent=0, start_ns=BEGIN_NS, duration_ns=2 * BUCKET_NS)]))
    assert on_path(settled_ns - 1) == [[1.0]]
    filled.insert(tenant, request([Said(trace=1, span=2, parent=1, start_ns=BEGIN_NS + BUCKET_NS, duration_ns=10)]))
    assert on_path(settled_ns - 1) == [[1.0]]
    assert on_path(settled_ns) == [[2.0]]


def test_more_than_can_be_made_for_a_question_is_refused() -> None:
    """It says so, rather than to answer from less."""
    store = MemoryStore()
    store.rows = [{"bucket_s": BEGIN_NS // 10**9, "rows": windows.MADE_SPANS_MAX + 1, "through": 1}]
    summaries = _NothingStored(store, Tenant("shop"), KeptSummaries(), BEGIN_NS)
    with pytest.raises(QueryLimit, match="summed up"):
        summaries.of(Window(BEGIN_NS, BEGIN_NS + BUCKET_NS), ["spans"])


class _NothingStored(Summaries):
    def _stored(self, window: Window, columns: list[str]) -> dict[int, tuple[State, pa.Table]]:
        assert window.start_ns == BEGIN_NS
        assert columns == ["spans"]
        return {}


def test_summaries_are_kept_in_bounded_memory() -> None:
    """The longest unused one goes first, and one that new spans came to is not given."""
    shop, summary = Tenant("shop"), pa.table({"spans": [1.0] * 10})
    kept = KeptSummaries(bytes_max=2 * summary.nbytes)
    for bucket_s in (0, 300):
        kept.put(shop, bucket_s, State(1, 1), summary)
    assert kept.get(shop, 0, State(1, 1)) is summary
    assert kept.get(shop, 0, State(2, 1)) is None
    kept.put(shop, 600, State(1, 1), summary)
    assert [kept.get(shop, bucket_s, State(1, 1)) is None for bucket_s in (0, 300, 600)] == [False, True, False]


def test_histograms_are_the_same_with_and_without_room_for_every_bin() -> None:
    """Many groups are sorted, few have a cell for each bin."""
    chosen = np.random.default_rng(7)
    bins = bins_of(chosen.integers(0, 10**12, 2_000))
    group, weight = chosen.integers(0, 5, 2_000), np.ones(2_000)
    few = Histograms.of(group, bins, weight, groups=5)
    many = Histograms.of(group, bins, weight, groups=CELLS_MAX)
    assert many.quantiles((0.5, 0.99))[:5].tolist() == few.quantiles((0.5, 0.99)).tolist()


def test_a_bin_is_right_to_half_a_per_cent() -> None:
    """From a nanosecond to centuries; what took no time is 0."""
    durations = np.array([0, -1, 1, 2, 999, 10**6, 123_456_789, 2**62])
    found = values_of(bins_of(durations))
    assert found[:2].tolist() == [0, 0]
    assert found[2:] == pytest.approx(durations[2:], rel=0.00501)


@pytest.mark.parametrize(
    ("said", "peer"),
    [
        (b"", None),
        (b"messaging\x1fkafka\x1forders", Peer(b"messaging", b"kafka/orders")),
        (b"messaging\x1f\x1f", Peer(b"messaging", b"unknown")),
        (b"database\x1f\x1fredis\x1fcache-1\x1f", Peer(b"cache", b"redis://cache-1")),
        (b"database\x1fledger\x1fmysql\x1fdb\x1fbooks", Peer(b"database", b"ledger")),
        (b"database\x1f\x1fmysql\x1f\x1f", Peer(b"database", b"mysql")),
        (b"external\x1f\x1f\x1fshop.Orders", Peer(b"external", b"shop.Orders")),
        (b"external\x1f\x1f\x1f", Peer(b"external", b"unknown")),
    ],
)
def test_peers_are_named_by_what_callers_say(said: bytes, peer: Peer | None) -> None:
    """A name of the peer first, then where it is, then what it is."""
    assert parse_peer(said) == peer
