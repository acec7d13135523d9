import pyarrow as pa

from homeostat_server.model.segment import NODE_BITS
from tests.contract.store.conftest import World
from tests.otlp import NOW_NS, span, traces

BUCKET_S = NOW_NS // 10**9 // 300 * 300


def rows(*parts: int, version: int = 1) -> pa.Table:
    """Return rows of one bucket, as far as this suite looks at them."""
    count = len(parts)
    return pa.table(
        {
            "bucket": pa.array([BUCKET_S] * count, pa.timestamp("s", "UTC")),
            "version": pa.array([version] * count, pa.uint64()),
            "part": pa.array(parts, pa.uint16()),
            "edge_caller": pa.array([[b"shop", b"it's \xff"]] * count, pa.list_(pa.binary())),
            "edge_bins": pa.array([[[1, 2], []]] * count, pa.list_(pa.list_(pa.uint16()))),
        }
    )


def test_summaries_are_read_as_they_were_stored(world: World) -> None:
    """By their tenant alone, all versions beside each other, columns that were not given empty."""
    tenant, other = world.tenant(), world.tenant("other")
    world.store.insert_summaries(tenant, rows(0, 1))
    world.store.insert_summaries(tenant, rows(0, version=2))
    question = (
        "SELECT toUnixTimestamp(bucket) AS bucket_s, version, part, edge_caller, edge_bins, work_service"
        " FROM telemetry.trace_summaries WHERE tenant = {tenant:String} ORDER BY version, part"
    )
    found = world.store.read(tenant, question, {"tenant": tenant})
    assert [(row["version"], row["part"]) for row in found] == [(1, 0), (1, 1), (2, 0)]
    assert found[0]["bucket_s"] == BUCKET_S
    assert (found[0]["edge_caller"], found[0]["edge_bins"]) == ([b"shop", b"it's \xff"], [[1, 2], []])
    assert found[0]["work_service"] == []
    assert world.store.read(other, question, {"tenant": tenant}) == []


def test_buckets_are_touched_by_what_was_received(world: World) -> None:
    """Of all tenants, by the time of receipt and the bucket in which a span began."""
    shop, till = world.tenant("touched-shop"), world.tenant("touched-till")
    received_s = (world.insert(shop, traces(span())).number >> NODE_BITS) // 1_000_000
    world.insert(till, traces(span(), span(span_id=b"12345678", start_time_unix_nano=(BUCKET_S + 300) * 10**9)))
    every = world.store.touched_buckets(first_s=received_s - 3_600, last_s=received_s + 3_600)
    found = [(one.tenant, one.bucket_s, one.rows) for one in every if one.tenant in {shop, till}]
    assert found == [(shop, BUCKET_S, 1), (till, BUCKET_S, 1), (till, BUCKET_S + 300, 1)]
    assert world.store.touched_buckets(first_s=1, last_s=2) == []
