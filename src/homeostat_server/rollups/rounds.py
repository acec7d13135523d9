"""Sum up what is due, a bucket at a time, in the time that nobody else needs. It knows a store, no route.

Crash-safe: a summary is stored whole or not at all and names what it has seen; what is not stored is due again.
"""

import logging
import os
import threading
from collections.abc import Callable
from typing import Final

import pyarrow as pa

from homeostat_server.exceptions import HomeostatError
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.rows import integer
from homeostat_server.query.summaries import sql
from homeostat_server.query.summaries.buckets import bucket_of
from homeostat_server.query.summaries.form import FORM, stored_rows
from homeostat_server.query.summaries.freshness import LATENESS_S, Found, found_buckets
from homeostat_server.query.summaries.keeping import State
from homeostat_server.query.summaries.reading import read_bucket
from homeostat_server.query.times import NS_PER_S
from homeostat_server.rollups.due import AGAIN_S, Due, DueBuckets, Stretch
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.store.ports import Parameter, TelemetryStore

_LOG: Final = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 20.0
"""Between looks for new spans while nothing is due."""

BUSY_SHARE_MAX: Final = 0.2
"""Of the time of one core: after each bucket there is a pause four times as long as the bucket took."""

PAUSE_S_MAX: Final = 30.0

RETRY_S: Final = 600

NICENESS: Final = 15
"""Of the thread, where the system has such a thing: behind inserts and merges (10)."""


class Rollups:
    """Sum up the spans of a store; `start` and `stop`, or `step` by hand."""

    def __init__(
        self,
        store: TelemetryStore,
        *,
        clock: Clock,
        telemetry: Telemetry,
        days: int,
        is_behind: Callable[[], bool],
    ) -> None:
        """Begin with nothing looked through.

        Args:
            store: where spans are and summaries go.
            clock: says when buckets are closed.
            telemetry: counts what is done.
            days: how long rows are kept.
            is_behind: says that rows wait to be stored, which comes first.
        """
        self._store = store
        self._clock = clock
        self._is_behind = is_behind
        self._due = DueBuckets(now_s=self._now_s(), days=days)
        self._look_at_s = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._buckets = telemetry.counter(
            "homeostat_rollups_buckets_total",
            "Buckets of five minutes that were due, by what became of them: summed, fresh (nothing had come), failed.",
            labels=("outcome",),
        )
        self._spans = telemetry.counter("homeostat_rollups_spans_total", "Spans that were summed up.")
        self._seconds = telemetry.histogram("homeostat_rollups_seconds", "Time to sum up one bucket.")
        telemetry.observe(
            "homeostat_rollups_due",
            "Buckets that are waiting to be closed or to be summed up.",
            read=lambda: [((), float(len(self._due)))],
        )

    def start(self) -> None:
        """Begin to work in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="rollups", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End; a bucket under way is waited for."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        _be_nice()
        while not self._stopping.is_set():
            began_s = self._clock.monotonic_s()
            worked = self._round()
            took_s = self._clock.monotonic_s() - began_s
            pause_s = took_s * (1 / BUSY_SHARE_MAX - 1) if worked else 1.0
            self._stopping.wait(min(pause_s, PAUSE_S_MAX))

    def _round(self) -> bool:
        try:
            return self.step()
        except Exception:
            # A border: a round that fails must not be the last.
            _LOG.exception("summing up spans failed and is tried again")
            return True

    def step(self) -> bool:
        """Do one piece of work: look for what is new, or sum up one bucket; say whether there was any."""
        if self._is_behind():
            return False
        if self._clock.monotonic_s() >= self._look_at_s:
            self._look_at_s = self._clock.monotonic_s() + LOOK_EVERY_S
            self._look()
            return True
        due = self._due.take(now_s=self._now_s())
        if due is not None:
            self._buckets.labels(self._sum_up(due)).inc()
            return True
        return self._look_back()

    def _look(self) -> None:
        stretch = self._due.next_stretch()
        try:
            touched = self._store.touched_buckets(first_s=stretch.first_s, last_s=stretch.last_s)
        except HomeostatError as error:
            _LOG.warning("new spans were not looked for: %s", error)
            return
        self._due.found(touched, now_s=self._now_s())

    def _look_back(self) -> bool:
        stretch = self._due.next_past()
        if stretch is None:
            return False
        try:
            touched = self._store.touched_buckets(first_s=stretch.first_s, last_s=stretch.last_s)
        except HomeostatError as error:
            _LOG.warning("spans of a day were not looked for: %s", error)
            self._due.put_back(Stretch(stretch.first_s, stretch.last_s))
            return True
        self._due.found(touched, now_s=self._now_s(), is_past=True)
        return True

    def _sum_up(self, due: Due) -> str:
        """Sum up a bucket unless nothing came since it was; return the outcome."""
        began_s = self._clock.monotonic_s()
        try:
            found, known, version_ns = self._states(due)
            if found is None or (known is not None and known.covers(found.state)):
                return "fresh"
            if version_ns and version_ns // NS_PER_S + AGAIN_S > self._now_s():
                self._due.postpone(due, until_s=version_ns // NS_PER_S + AGAIN_S)
                return "postponed"
            summary = read_bucket(self._store, tenant=due.tenant, bucket_s=due.bucket_s, rows=found.rows)
            self._write(due, found.state, summary)
        except HomeostatError as error:
            _LOG.warning("spans of five minutes were not summed up and are tried again: %s", error)
            self._due.postpone(due, until_s=self._now_s() + RETRY_S)
            return "failed"
        self._spans.inc(found.rows)
        self._seconds.observe(self._clock.monotonic_s() - began_s)
        return "summed"

    def _states(self, due: Due) -> tuple[Found | None, State | None, int]:
        """Return what there is of a bucket, what its newest summary has seen, and when that was made."""
        found = found_buckets(
            self._store,
            tenant=due.tenant,
            window=bucket_of(due.bucket_s),
            now_s=self._now_s(),
            after_s=LATENESS_S,
        ).get(due.bucket_s)
        asked: dict[str, Parameter] = {"tenant": due.tenant, "bucket_s": due.bucket_s, "form": FORM}
        known = self._store.read(due.tenant, sql.STORED_STATE, asked)
        if not known:
            return found, None, 0
        return found, State(integer(known[0]["rows"]), integer(known[0]["through"])), integer(known[0]["version"])

    def _write(self, due: Due, state: State, summary: pa.Table) -> None:
        rows = stored_rows(summary, bucket_s=due.bucket_s, version_ns=self._clock.now_ns(), seen=state)
        self._store.insert_summaries(Tenant(due.tenant), rows)

    def _now_s(self) -> int:
        return self._clock.now_ns() // NS_PER_S


def _be_nice() -> None:
    if hasattr(os, "setpriority"):
        # Of this thread alone: on Linux a thread has a priority of its own.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
