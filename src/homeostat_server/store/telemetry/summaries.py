"""How summaries of spans are kept: which buckets new spans went into, and rows that others made. It makes none."""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final, cast

import pyarrow as pa

from homeostat_server.exceptions import StoreUnavailable
from homeostat_server.model.tenant import Tenant, parse_tenant
from homeostat_server.store.ports import Row, TouchedBucket
from homeostat_server.store.telemetry.catalogue import TRACE_SUMMARIES
from homeostat_server.store.telemetry.inserts import quoted
from homeostat_server.store.telemetry.session import Session
from homeostat_server.store.telemetry.tables import DATABASE

INCOMING: Final = "incoming"
"""The folder, inside the engine's, that rows wait in while they are inserted."""

_TOUCHED: Final = f"""
SELECT tenant, toUnixTimestamp(toStartOfFiveMinutes(ts)) AS bucket_s, count() AS rows,
    toUnixTimestamp(max(received)) AS received_s
FROM {DATABASE}.spans
WHERE received BETWEEN toDateTime({{first_s:UInt32}}, 'UTC') AND toDateTime({{last_s:UInt32}}, 'UTC')
GROUP BY tenant, bucket_s
ORDER BY tenant, bucket_s
""".strip()


def touched_buckets(engine: Session, *, first_s: int, last_s: int) -> list[TouchedBucket]:
    """Return the buckets that spans received in a stretch of time went into, of all tenants."""
    return list(_touched(engine.rows(_TOUCHED, {"first_s": first_s, "last_s": last_s})))


def _touched(rows: Iterable[Row]) -> Iterable[TouchedBucket]:
    for row in rows:
        yield TouchedBucket(
            tenant=parse_tenant(cast("bytes", row["tenant"]).decode()),
            bucket_s=cast("int", row["bucket_s"]),
            rows=cast("int", row["rows"]),
            received_s=cast("int", row["received_s"]),
        )


def insert_summaries(engine: Session, folder: Path, tenant: Tenant, table: pa.Table) -> None:
    """Insert rows of one bucket at once: all of them become one part, so a crash leaves all or none.

    Raises:
        StoreUnavailable: not now.
    """
    path = folder / INCOMING / f"{uuid.uuid4().hex}.arrow"
    known = [column.name for column in TRACE_SUMMARIES.columns if column.name in table.column_names]
    try:
        path.parent.mkdir(exist_ok=True)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
        names = ", ".join(f"`{name}`" for name in known)
        engine.execute(
            f"INSERT INTO {DATABASE}.{TRACE_SUMMARIES.name} (tenant, last_seen, {names})"
            f" SELECT {quoted(tenant)}, bucket, {names} FROM file({quoted(str(path))}, 'Arrow')"
        )
    except OSError as error:
        raise StoreUnavailable(
            "write a summary", value=str(path), hint=f"{error.strerror}: is the disk full?"
        ) from error
    finally:
        path.unlink(missing_ok=True)


def clear_incoming(folder: Path) -> None:
    """Remove what a process that died has left of rows that it was inserting."""
    incoming = folder / INCOMING
    if incoming.is_dir():
        for entry in os.scandir(incoming):
            Path(entry.path).unlink(missing_ok=True)
