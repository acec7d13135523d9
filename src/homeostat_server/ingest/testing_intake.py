"""A spool for tests of the write path's front: ours and yours. It keeps all in memory, nothing is durable."""

from concurrent.futures import Future

from homeostat_server.exceptions import CapacityError
from homeostat_server.ingest.pending import Receipt
from homeostat_server.model.tenant import Tenant


class MemorySpool:
    """Remember requests; implements `homeostat_server.ingest.intake.DurableLog`.

    Set `refuse_with` and `append` raises it; set `fail_with` and the future fails with it; clear `acknowledges` and the
    future stays open until `acknowledge` is called.
    """

    def __init__(self) -> None:
        """Begin empty."""
        self.requests: list[tuple[Tenant, bytes]] = []
        self.refuse_with: CapacityError | None = None
        self.fail_with: Exception | None = None
        self.acknowledges = True
        self._waiting: list[tuple[Future[Receipt], Receipt]] = []

    def append(self, tenant: Tenant, body: bytes) -> "Future[Receipt]":
        """Remember a request; the same one again is a duplicate."""
        if self.refuse_with is not None:
            raise self.refuse_with
        receipt = Receipt(segment=1, duplicate=(tenant, body) in self.requests)
        if not receipt.duplicate:
            self.requests.append((tenant, body))
        future: Future[Receipt] = Future()
        future.set_running_or_notify_cancel()
        self._waiting.append((future, receipt))
        if self.acknowledges:
            self.acknowledge()
        return future

    def acknowledge(self) -> None:
        """Answer everybody who waits."""
        waiting, self._waiting = self._waiting, []
        for future, receipt in waiting:
            if self.fail_with is not None:
                future.set_exception(self.fail_with)
            else:
                future.set_result(receipt)
