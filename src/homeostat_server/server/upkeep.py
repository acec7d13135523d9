"""What has to be done now and then: retention, engine figures, the lag alarm, pages. It decides when, not how."""

import asyncio
import logging
from typing import Final

import psutil

from homeostat_server.exceptions import HomeostatError
from homeostat_server.ingest.lag import LagAlarm
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.pages import LibraryPages
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.store.ports import StoreStatistics, TelemetryStore

_LOG: Final = logging.getLogger(__name__)

EVERY_S: Final = 10.0
_NANOSECONDS_PER_SECOND: Final = 1_000_000_000
RETENTION_EVERY: Final = 360
"""Rounds from one success to the next attempt: once an hour is often enough for days."""


class Upkeep:
    """Run the rounds of one process."""

    def __init__(
        self,
        store: TelemetryStore,
        *,
        alarm: LagAlarm,
        clock: Clock,
        telemetry: Telemetry,
        pages: LibraryPages,
        every_s: float = EVERY_S,
    ) -> None:
        """Begin with no figures."""
        self._store = store
        self._alarm = alarm
        self._clock = clock
        self._every_s = every_s
        self._pages = pages
        self._rounds_to_retention = 0
        self._statistics = StoreStatistics(memory_bytes=0, tables=())
        self._running: asyncio.Task[None] | None = None
        self._dropped = telemetry.counter(
            "homeostat_store_partitions_dropped_total", "Partitions dropped because their retention was over."
        )
        self._expired = telemetry.counter(
            "homeostat_retention_spans_total",
            "Ordinary spans that were over their time: kept as valued, or dropped.",
            labels=("outcome",),
        )
        self._days_lost = telemetry.counter(
            "homeostat_retention_days_lost_total",
            "Days of which no span was kept as valued because that could not be done.",
        )
        process = psutil.Process()
        telemetry.observe(
            "homeostat_process_resident_memory_bytes",
            "Resident memory of the whole process, the engine included.",
            read=lambda: [((), float(process.memory_info().rss))],
        )
        telemetry.observe(
            "homeostat_store_memory_bytes",
            "Memory that the engine has taken for queries, inserts, merges and caches.",
            read=lambda: [((), float(self._statistics.memory_bytes))],
        )
        self._observe_tables(telemetry, "homeostat_store_rows", "Rows of each table.", "rows")
        self._observe_tables(telemetry, "homeostat_store_parts", "Active parts of each table.", "parts")
        self._observe_tables(telemetry, "homeostat_store_disk_bytes", "Disk taken by each table.", "size_bytes")

    def _observe_tables(self, telemetry: Telemetry, name: str, help_text: str, attribute: str) -> None:
        telemetry.observe(
            name,
            help_text,
            labels=("table",),
            read=lambda: [((size.table,), float(getattr(size, attribute))) for size in self._statistics.tables],
        )

    async def start(self) -> None:
        """Begin the rounds with one now."""
        self._running = asyncio.create_task(self._rounds(), name="upkeep")

    async def stop(self) -> None:
        """End the rounds; one under way is waited for."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _rounds(self) -> None:
        while True:
            await self.round()
            await asyncio.sleep(self._every_s)

    async def round(self) -> None:
        """Do what is due; what fails is due again in the next round."""
        self._alarm.look()
        try:
            if self._rounds_to_retention <= 0:
                now_s = self._clock.now_ns() // _NANOSECONDS_PER_SECOND
                self._dropped.inc(await asyncio.to_thread(self._store.drop_expired, now_s))
                self._rounds_to_retention = RETENTION_EVERY
            self._rounds_to_retention -= 1
            self._take(await asyncio.to_thread(self._store.statistics))
            await asyncio.to_thread(self._pages.unmap)
        except HomeostatError as error:
            _LOG.warning("upkeep failed and is tried again: %s", error)
        except Exception:
            # A border: without rounds the disk would fill up and nobody would hear of late rows.
            _LOG.exception("upkeep failed and is tried again")

    def _take(self, statistics: StoreStatistics) -> None:
        before, now = self._statistics.kept, statistics.kept
        self._statistics = statistics
        kept = now.kept - before.kept
        self._expired.labels("kept").inc(kept)
        self._expired.labels("dropped").inc(now.spans - before.spans - kept)
        self._days_lost.inc(now.days_lost - before.days_lost)
