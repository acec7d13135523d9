from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.summaries.form import FORM
from homeostat_server.query.summaries.freshness import LATENESS_S
from homeostat_server.rollups.rounds import LOOK_EVERY_S, Rollups
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.store.testing import MemoryStore
from tests.otlp import NOW_NS, span, traces
from tests.telemetry_store import FilledStore, filled_store
from tests.waiting import until

BUCKET_S = NOW_NS // 10**9 // 300 * 300
CLOSED_NS = (BUCKET_S + 300 + 3_600) * 10**9


@dataclass(frozen=True, slots=True)
class Run:
    """Hold rollups over a store, and what they count."""

    rollups: Rollups
    clock: ManualClock
    telemetry: Telemetry

    def work(self) -> None:
        """Work until there is nothing to do."""
        self.clock.advance(LOOK_EVERY_S)
        while self.rollups.step():
            pass

    def count(self, outcome: str) -> float:
        """Return how many buckets ended so."""
        return self.telemetry.value("homeostat_rollups_buckets_total", outcome=outcome)


@pytest.fixture
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FilledStore]:
    """Return a real store."""
    with filled_store(tmp_path_factory.mktemp("store")) as store:
        yield store


def run_over(store: FilledStore | MemoryStore, *, behind: bool = False) -> Run:
    """Return rollups as the process would have them after a start."""
    clock, telemetry = ManualClock(now_ns=CLOSED_NS), Telemetry()
    inner = store.store if isinstance(store, FilledStore) else store
    rollups = Rollups(inner, clock=clock, telemetry=telemetry, days=2, is_behind=lambda: behind)
    return Run(rollups, clock, telemetry)


def versions(filled: FilledStore, tenant: Tenant) -> list[dict[str, object]]:
    """Return what is stored of the summaries of a tenant."""
    question = (
        "SELECT toUnixTimestamp(bucket) AS bucket_s, rows, spans, form FROM telemetry.trace_summaries"
        " WHERE tenant = {tenant:String} ORDER BY bucket, version"
    )
    return filled.store.read(tenant, question, {"tenant": tenant})


def test_what_was_stored_before_is_summed_up(filled: FilledStore) -> None:
    """Whatever was there before the process began, once, whoever's it is; a second process finds nothing to do."""
    tenants = [filled.new_tenant(), filled.new_tenant()]
    for tenant in tenants:
        filled.insert(tenant, traces(span(start_time_unix_nano=BUCKET_S * 10**9)))
    run = run_over(filled)
    run.work()
    for tenant in tenants:
        assert versions(filled, tenant) == [{"bucket_s": BUCKET_S, "rows": 1, "spans": 1.0, "form": FORM}]
    again = run_over(filled)
    again.work()
    assert (run.count("summed"), again.count("summed"), again.count("fresh")) == (2, 0, 2)
    assert run.telemetry.value("homeostat_rollups_spans_total") == 2


def test_late_spans_make_a_new_version(filled: FilledStore) -> None:
    """After a while, as a whole; the old one stays beside it until its time is over."""
    tenant = filled.new_tenant()
    filled.insert(tenant, traces(span(start_time_unix_nano=BUCKET_S * 10**9)))
    run = run_over(filled)
    run.work()
    late = traces(span(start_time_unix_nano=BUCKET_S * 10**9 + 1, span_id=b"12345678"))
    filled.insert(tenant, late, received_ns=run.clock.now_ns())
    run.work()
    assert run.count("postponed") == 1
    run.clock.advance(600)
    run.work()
    assert [row["rows"] for row in versions(filled, tenant)] == [1, 2]


def test_late_spans_make_new_versions_of_the_buckets_beside_theirs(filled: FilledStore) -> None:
    """Once: that a summary was made again is no reason to make the next one again."""
    tenant = filled.new_tenant()
    every = [BUCKET_S + 300 * number for number in range(-2, 3)]
    for number, start_s in enumerate(every):
        filled.insert(tenant, traces(span(start_time_unix_nano=start_s * 10**9, span_id=bytes([number + 1] * 8))))
    run = run_over(filled)
    run.work()
    assert run.count("summed") == 5
    late = traces(span(start_time_unix_nano=BUCKET_S * 10**9 + 1, span_id=b"12345678"))
    filled.insert(tenant, late, received_ns=run.clock.now_ns())
    for _ in range(3):
        run.clock.advance(600)
        run.work()
    made = Counter(row["bucket_s"] for row in versions(filled, tenant))
    assert [made[start_s] for start_s in every] == [1, 2, 2, 2, 1]


def test_a_bucket_is_summed_up_once_more_when_the_next_one_is_closed(filled: FilledStore) -> None:
    """Whatever comes into the next one while that is open makes no work for it."""
    tenant = filled.new_tenant()
    filled.insert(tenant, traces(span(start_time_unix_nano=BUCKET_S * 10**9)))
    clock, counted = ManualClock(now_ns=(BUCKET_S + 300 + LATENESS_S) * 10**9), Telemetry()
    run = Run(Rollups(filled.store, clock=clock, telemetry=counted, days=2, is_behind=lambda: False), clock, counted)
    for number in range(4):
        after = span(start_time_unix_nano=(BUCKET_S + 300) * 10**9, span_id=bytes([number + 1] * 8))
        filled.insert(tenant, traces(after), received_ns=clock.now_ns())
        run.work()
        assert run.count("summed") == 1
    for _ in range(4):
        clock.advance(300)
        run.work()
    assert Counter(row["bucket_s"] for row in versions(filled, tenant)) == {BUCKET_S: 2, BUCKET_S + 300: 1}


def test_nothing_is_done_while_rows_wait(filled: FilledStore) -> None:
    """What is acknowledged is stored first."""
    tenant = filled.new_tenant()
    filled.insert(tenant, traces(span(start_time_unix_nano=BUCKET_S * 10**9)))
    run = run_over(filled, behind=True)
    run.work()
    assert versions(filled, tenant) == []


def test_a_store_that_is_away_is_tried_again() -> None:
    """Neither a look nor a day of the past is lost, and the thread goes on."""
    store = MemoryStore()
    store.fail_with = StoreUnavailable("read")
    run = run_over(store)
    assert [run.rollups.step() for _ in range(4)] == [True, True, True, True]
    store.fail_with = None
    run.work()
    assert run.rollups.step() is False


def test_the_thread_works_and_stops(filled: FilledStore) -> None:
    """It begins by itself, and a stop waits for what is under way."""
    tenant = filled.new_tenant()
    filled.insert(tenant, traces(span(start_time_unix_nano=BUCKET_S * 10**9)))
    run = run_over(filled)
    run.rollups.start()
    until(lambda: run.count("summed") == 1)
    run.rollups.stop()
    assert len(versions(filled, tenant)) == 1
