"""What is wrong with a query and where. It knows no grammar."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.exceptions import InvalidRequest

SHOWN_LENGTH_MAX: Final = 60


@dataclass(frozen=True, slots=True)
class Place:
    """Hold a place in a query's text: `offset` from 0, `line` and `column` from 1, all in characters."""

    offset: int
    line: int
    column: int


NOWHERE: Final = Place(0, 1, 1)


class TraceqlError(InvalidRequest):
    """Refuse a query that is not TraceQL, or whose types do not fit together.

    Attributes:
        place: where in the text the fault is.
        reason: what the fault is, without the place.
    """

    def __init__(self, reason: str, *, place: Place = NOWHERE, near: str = "", hint: str = "") -> None:
        """Describe the fault; `near` is the text at the place."""
        super().__init__(
            f"read the TraceQL query, line {place.line}, column {place.column}: {reason}",
            value=near[:SHOWN_LENGTH_MAX] or None,
            hint=hint,
        )
        self.reason = reason
        self.place = place


class TraceqlUnsupported(TraceqlError):
    """Refuse what is TraceQL but is not answered here, by its name."""

    def __init__(self, feature: str, *, place: Place = NOWHERE, hint: str = "") -> None:
        """Name what is not supported."""
        super().__init__(f"{feature} is not supported", place=place, hint=hint)
        self.feature = feature
