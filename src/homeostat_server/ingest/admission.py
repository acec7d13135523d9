"""How much may be on its way in at once. It counts bytes and requests, and does not know whose they are.

A request is admitted before its body is read and counts every byte it holds, received and decompressed, until it is
answered. At a bound the next byte, not the next promise, is refused: `Overloaded`, with a time to come back. Belongs to
one event loop; nothing here waits.
"""

from types import TracebackType
from typing import Final, Self

from homeostat_server.exceptions import Overloaded
from homeostat_server.runtime.telemetry import Telemetry

RETRY_AFTER_S: Final = 1.0
"""What is in flight is on disk some tens of milliseconds later, so a second is enough to find room."""


class Admission:
    """Bound the bytes and the number of requests in flight."""

    def __init__(self, *, bytes_max: int, requests_max: int, telemetry: Telemetry) -> None:
        """Admit nobody yet; both bounds are inclusive."""
        self._bytes_max = bytes_max
        self._requests_max = requests_max
        self.bytes_in_flight = 0
        self.requests_in_flight = 0
        telemetry.observe(
            "homeostat_ingest_inflight_bytes",
            "Bytes of request bodies in memory now.",
            read=lambda: [((), self.bytes_in_flight)],
        )
        telemetry.observe(
            "homeostat_ingest_inflight_requests",
            "Ingest requests that are being served now.",
            read=lambda: [((), self.requests_in_flight)],
        )
        self._shed = telemetry.counter(
            "homeostat_ingest_shed_total", "Requests refused at a bound of what may be in flight.", labels=("bound",)
        )

    def admit(self) -> "Admitted":
        """Return a place for one request; leave it by `with`.

        Raises:
            Overloaded: as many requests, or bytes, as may be are in flight.
        """
        if self.requests_in_flight >= self._requests_max:
            raise self._overloaded("requests", setting="ingest_requests_max", most=self._requests_max)
        if self.bytes_in_flight >= self._bytes_max:
            raise self._overloaded("bytes", setting="ingest_inflight_bytes_max", most=self._bytes_max)
        self.requests_in_flight += 1
        return Admitted(self)

    def _grow(self, size_bytes: int) -> None:
        if self.bytes_in_flight + size_bytes > self._bytes_max:
            raise self._overloaded("bytes", setting="ingest_inflight_bytes_max", most=self._bytes_max)
        self.bytes_in_flight += size_bytes

    def _leave(self, size_bytes: int) -> None:
        self.bytes_in_flight -= size_bytes
        self.requests_in_flight -= 1

    def _overloaded(self, bound: str, *, setting: str, most: int) -> Overloaded:
        self._shed.labels(bound=bound).inc()
        return Overloaded(
            "take one more request",
            hint=f"At most {most} {bound} may be in flight (setting {setting}); send it again.",
            retry_after_s=RETRY_AFTER_S,
        )


class Admitted:
    """Hold the place of one request, and count what it holds in memory."""

    def __init__(self, admission: Admission) -> None:
        """Begin with no bytes."""
        self._admission = admission
        self._size_bytes = 0

    def grow(self, size_bytes: int) -> None:
        """Count so many bytes more.

        Raises:
            Overloaded: there is no room for them.
        """
        self._admission._grow(size_bytes)  # noqa: SLF001 - two halves of one thing
        self._size_bytes += size_bytes

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission._leave(self._size_bytes)  # noqa: SLF001 - as above
