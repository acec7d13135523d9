"""How answers that are made of summaries are asked for: a window and one to compare with. It knows no figure."""

from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from homeostat_server.api.lists import EXAMPLE_TIME, TIME_FORMS
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.summaries.buckets import before, whole
from homeostat_server.query.times import parse_time
from homeostat_server.query.window import Window, parse_window

PREVIOUS: Final = "previous"

WINDOW_NOTE: Final = (
    "What the answer is about: windows longer than a quarter of an hour are widened to whole five minutes"
)


class SummedQuery(BaseModel):
    """Ask about a stretch of time that is made of summaries; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(
        None, description=f"{TIME_FORMS}; default: an hour before the end", examples=[EXAMPLE_TIME]
    )
    end: str | None = Field(
        None,
        description=f"{TIME_FORMS}, not included; default: now; at most 31 days after the start",
        examples=["1769846400"],
    )
    window: str | None = Field(None, description="How long, back from the end, instead of `start`", examples=["1h"])
    service: str | None = Field(
        None, max_length=512, description="Only what this service has to do with", examples=["checkout"]
    )
    compare: str | None = Field(
        None,
        description=(
            f"`{PREVIOUS}`: with the window of the same length before. A moment ({TIME_FORMS}): with the window of the"
            " same length that begins then."
        ),
        examples=[PREVIOUS],
    )

    def asked_window(self, *, now_ns: int) -> Window:
        """Return the window that the answer is about.

        Raises:
            InvalidRequest: a moment cannot be read, or the window is empty or too long.
        """
        return whole(parse_window(self.start, self.end, length=self.window, now_ns=now_ns))

    def other_window(self, window: Window) -> Window | None:
        """Return the window to compare with.

        Raises:
            InvalidRequest: it cannot be read, or would begin before 1970.
        """
        if self.compare is None:
            return None
        length_ns = window.end_ns - window.start_ns
        if self.compare != PREVIOUS:
            start_ns = parse_time(self.compare, name="compare")
            return whole(Window(start_ns, start_ns + length_ns))
        found = before(window)
        if found is None:
            raise InvalidRequest("compare with the window before", value=self.compare, hint="There is no time before.")
        return found
