"""What the spool and the committer tell about themselves. They do not know who listens or how it is shown.

One observer serves one signal. Calls come from the threads of requests, of the spool's writer and of the committer, so
an implementation is thread-safe; it is quick and never raises.
"""

from typing import Protocol

from homeostat_server.model.segment import SealedSegment


class IngestObserver(Protocol):
    """Hear what happens to requests and segments."""

    def acknowledged(self, *, records: int, size_bytes: int, seconds: float) -> None:
        """Hear that a group of records became durable, and how long the write and the sync took."""
        ...

    def duplicate(self) -> None:
        """Hear that a request was known already and is not stored again."""
        ...

    def refused(self, reason: str) -> None:
        """Hear that a request was refused at once: "spool_full", "pending_full" or "closed"."""
        ...

    def write_failed(self, cause: OSError, *, records: int) -> None:
        """Hear that a group of records could not be made durable; their senders were told."""
        ...

    def sealed(self, segment: SealedSegment) -> None:
        """Hear that a segment was handed to the committer."""
        ...

    def torn(self, *, size_bytes: int) -> None:
        """Hear that bytes that were never acknowledged were cut off a left-over segment."""
        ...

    def quarantined(self, reason: str, *, size_bytes: int) -> None:
        """Hear that a record was set aside: "corrupt", "rejected" or "unreadable"."""
        ...

    def quarantine_shed(self, *, size_bytes: int) -> None:
        """Hear that the oldest file in quarantine was deleted because of its bound."""
        ...

    def digests_shed(self, count: int) -> None:
        """Hear that identities were forgotten before their time because of their bound."""
        ...

    def committed(self, segment: SealedSegment, *, seconds: float) -> None:
        """Hear that a segment's rows are stored, and how long the insert took."""
        ...

    def commit_failed(self, cause: Exception, *, retry_s: float) -> None:
        """Hear that a step of the committer failed and when it is tried again."""
        ...


class SilentObserver:
    """Listen to nothing; implements `IngestObserver`."""

    def acknowledged(self, *, records: int, size_bytes: int, seconds: float) -> None:
        """Do nothing."""

    def duplicate(self) -> None:
        """Do nothing."""

    def refused(self, reason: str) -> None:
        """Do nothing."""

    def write_failed(self, cause: OSError, *, records: int) -> None:
        """Do nothing."""

    def sealed(self, segment: SealedSegment) -> None:
        """Do nothing."""

    def torn(self, *, size_bytes: int) -> None:
        """Do nothing."""

    def quarantined(self, reason: str, *, size_bytes: int) -> None:
        """Do nothing."""

    def quarantine_shed(self, *, size_bytes: int) -> None:
        """Do nothing."""

    def digests_shed(self, count: int) -> None:
        """Do nothing."""

    def committed(self, segment: SealedSegment, *, seconds: float) -> None:
        """Do nothing."""

    def commit_failed(self, cause: Exception, *, retry_s: float) -> None:
        """Do nothing."""
