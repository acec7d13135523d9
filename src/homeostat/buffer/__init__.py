"""Where telemetry waits that could not be delivered: on disk over restarts, else in memory. It sends nothing."""

from homeostat.buffer.backlog import NOT_KEPT, Backlog
from homeostat.buffer.memory import MEMORY_FULL
from homeostat.buffer.records import BODY_BYTES_MAX, SIGNALS, Record
from homeostat.buffer.spool import SPOOL_FULL, UNREADABLE

__all__ = ["BODY_BYTES_MAX", "MEMORY_FULL", "NOT_KEPT", "SIGNALS", "SPOOL_FULL", "UNREADABLE", "Backlog", "Record"]
