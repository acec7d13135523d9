from homeostat_server.model.tenant import Tenant
from homeostat_server.query.summaries.freshness import LATENESS_S
from homeostat_server.rollups.due import AHEAD_S, DAY_S, OVERLAP_S, Due, DueBuckets
from homeostat_server.store.ports import TouchedBucket

NOW_S = 1_800_000_000
SHOP = Tenant("shop")


def touched(bucket_s: int, *, received_s: int = NOW_S) -> TouchedBucket:
    """Return a bucket that spans went into."""
    return TouchedBucket(tenant=SHOP, bucket_s=bucket_s, rows=1, received_s=received_s)


def test_a_bucket_is_due_when_it_is_closed() -> None:
    """Two minutes after its end, and once more when the next one is closed: its traces may go on there."""
    due = DueBuckets(now_s=NOW_S, days=0)
    due.found([touched(NOW_S)], now_s=NOW_S, is_past=True)
    closed_s = NOW_S + 300 + LATENESS_S
    assert due.take(now_s=closed_s - 1) is None
    for moment_s in (closed_s, closed_s + 300):
        assert due.take(now_s=moment_s) == Due(NOW_S, SHOP)
        assert due.take(now_s=moment_s) is None
    assert due.take(now_s=closed_s + 600) is None


def test_the_newest_bucket_comes_first() -> None:
    """People ask about what was just now."""
    due = DueBuckets(now_s=NOW_S, days=0)
    due.found([touched(NOW_S - 3_000), touched(NOW_S - 900), touched(NOW_S - 6_000)], now_s=NOW_S, is_past=True)
    taken = [due.take(now_s=NOW_S) for _ in range(3)]
    assert [one.bucket_s for one in taken if one] == [NOW_S - 900, NOW_S - 3_000, NOW_S - 6_000]


def test_new_spans_make_the_buckets_beside_theirs_due() -> None:
    """The one before when the bucket is closed: it does not have to be looked at while the bucket grows."""
    due = DueBuckets(now_s=NOW_S, days=0)
    due.found([touched(NOW_S)], now_s=NOW_S)
    closed_s = NOW_S + 300 + LATENESS_S
    assert due.take(now_s=closed_s - 1) is None
    taken = [due.take(now_s=closed_s) for _ in range(3)]
    assert taken == [Due(NOW_S, SHOP), Due(NOW_S - 300, SHOP), None]
    assert due.take(now_s=closed_s + 300) == Due(NOW_S + 300, SHOP)
    assert due.take(now_s=closed_s + 300) == Due(NOW_S, SHOP)


def test_what_is_postponed_waits() -> None:
    """A bucket that late spans go into is gathered for a while."""
    due = DueBuckets(now_s=NOW_S, days=0)
    due.postpone(Due(NOW_S - 900, SHOP), until_s=NOW_S + 60)
    assert due.take(now_s=NOW_S + 59) is None
    assert due.take(now_s=NOW_S + 60) == Due(NOW_S - 900, SHOP)


def test_wild_clocks_wait_for_nobody() -> None:
    """Buckets far in the future are not remembered."""
    due = DueBuckets(now_s=NOW_S, days=0)
    due.found([touched(NOW_S + AHEAD_S)], now_s=NOW_S)
    assert len(due) == 0


def test_looks_follow_what_was_received() -> None:
    """The next look begins where rows were last seen, not at the clock: rows may be stored long after their receipt."""
    due = DueBuckets(now_s=NOW_S - 1_000, days=0)
    due.found([touched(NOW_S - 900, received_s=NOW_S - 500)], now_s=NOW_S)
    assert due.next_stretch().first_s == NOW_S - 500 - OVERLAP_S


def test_the_past_is_looked_through_once_newest_first() -> None:
    """Day by day, and a day that could not be looked through comes again."""
    due = DueBuckets(now_s=NOW_S, days=2)
    first = due.next_past()
    assert first is not None
    assert (first.first_s, first.last_s) == (NOW_S - DAY_S, NOW_S)
    due.put_back(first)
    assert due.next_past() == first
    second = due.next_past()
    assert second is not None
    assert second.last_s == NOW_S - DAY_S
    assert due.next_past() is None
