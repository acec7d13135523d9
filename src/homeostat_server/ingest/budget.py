"""How many bytes the spools of a process may hold together. It does not know what the bytes are."""

import threading


class SpoolBudget:
    """Count bytes against a bound. Thread-safe."""

    def __init__(self, *, size_bytes_max: int) -> None:
        """Begin with nothing taken."""
        self._size_bytes_max = size_bytes_max
        self._used_bytes = 0
        self._lock = threading.Lock()

    @property
    def size_bytes_max(self) -> int:
        """Return the bound."""
        return self._size_bytes_max

    @property
    def used_bytes(self) -> int:
        """Return how much is taken; more than the bound when an earlier run left more."""
        return self._used_bytes

    def take(self, size_bytes: int) -> bool:
        """Take bytes if they fit, say whether they did."""
        with self._lock:
            if self._used_bytes + size_bytes > self._size_bytes_max:
                return False
            self._used_bytes += size_bytes
            return True

    def occupy(self, size_bytes: int) -> None:
        """Take bytes that are there already, whether they fit or not."""
        with self._lock:
            self._used_bytes += size_bytes

    def give_back(self, size_bytes: int) -> None:
        """Give back bytes that were taken."""
        with self._lock:
            self._used_bytes -= size_bytes
