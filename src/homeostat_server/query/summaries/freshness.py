"""What there is of a bucket and of its neighbours, to be compared with what a summary of it has seen. It makes none.

Invariant: rows that come into a bucket, or into one beside it, change its state; a summary that is made again changes
no state, so nothing is passed on from bucket to bucket.
"""

from dataclasses import dataclass
from typing import Final

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.rows import integer
from homeostat_server.query.summaries import sql
from homeostat_server.query.summaries.buckets import BUCKET_NS, BUCKET_S
from homeostat_server.query.summaries.keeping import State
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

LATENESS_S: Final = 120
"""How long after its end a bucket is closed: most spans are there by then."""

SETTLED_S: Final = 180
"""How long after its end a bucket counts for the one before it when a question is asked: by then the background, for
which it counts as soon as it is closed, has most likely summed up that one again."""


@dataclass(frozen=True, slots=True)
class Found:
    """Hold how many spans a bucket has, and which rows a summary of it depends on, those of its neighbours too."""

    rows: int
    state: State


def found_buckets(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, now_s: int, after_s: int
) -> dict[int, Found]:
    """Return what there is of each bucket with spans that a window touches.

    The bucket before it counts, where parents of its spans may lie, and the one after it, where traces go on; but the
    latter not while it grows: else a summary would be old as soon as it is made.

    Args:
        reader: where the spans are.
        tenant: whose they are.
        window: widened to whole buckets.
        now_s: Unix time.
        after_s: how long after its end a bucket counts for the one before it.
    """
    first = window.start_ns // BUCKET_NS * BUCKET_NS
    last = -(-window.end_ns // BUCKET_NS) * BUCKET_NS
    asked: dict[str, Parameter] = {
        "tenant": tenant,
        "first_ns": max(0, first - BUCKET_NS),
        "last_ns": last + BUCKET_NS - 1,
    }
    rows = reader.read(tenant, sql.STATES, asked)
    own = {integer(row["bucket_s"]): State(integer(row["rows"]), integer(row["through"])) for row in rows}
    found = {}
    for bucket_s, state in own.items():
        if not first <= bucket_s * NS_PER_S < last:
            continue
        beside = [own.get(bucket_s - BUCKET_S)]
        if bucket_s + 2 * BUCKET_S + after_s <= now_s:
            beside.append(own.get(bucket_s + BUCKET_S))
        found[bucket_s] = Found(state.rows, state.with_rows_of([other for other in beside if other is not None]))
    return found
