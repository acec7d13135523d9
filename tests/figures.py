"""What a test counted, for whoever reads the end of the run; it decides nothing."""

from collections.abc import Callable
from typing import Final

PROPERTY: Final = "figures"


class Figures:
    """Keep sentences with the test's result, which travels from the worker process that ran it."""

    def __init__(self, record: Callable[[str, object], None]) -> None:
        """Write with pytest's `record_property`."""
        self._record = record

    def say(self, sentence: str) -> None:
        """Keep a sentence."""
        self._record(PROPERTY, sentence)
