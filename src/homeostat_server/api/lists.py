"""What all lists of the API have in common: how they are asked for, and the types that their answers are made of."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.query.cursor import ListRequest, PlaceT, parse_list_request
from homeostat_server.query.sources import Source
from homeostat_server.query.times import format_time
from homeostat_server.query.window import Window

TIME_FORMS: Final = "RFC 3339, or seconds, ms, µs or ns since 1970"

EXAMPLE_TIME: Final = "2026-01-31T08:00:00.123456789Z"
EXAMPLE_TRACE_ID: Final = "5b8efff798038103d269b633813fc60c"
EXAMPLE_ATTRIBUTE: Final = {"key": "http.response.status_code", "value": {"intValue": "503"}}


def _moment(value: object) -> object:
    return format_time(value) if isinstance(value, int) else value


Moment = Annotated[
    str, BeforeValidator(_moment), Field(description="RFC 3339, UTC, nanoseconds", examples=[EXAMPLE_TIME])
]
"""A moment in an answer; made from nanoseconds since the Unix epoch."""

Number = Annotated[
    str,
    BeforeValidator(lambda value: str(value) if isinstance(value, int) else value),
    Field(description="64 bits, as text since JavaScript keeps 53 of them", examples=["5263360906129915519"]),
]

Attributes = Annotated[
    list[dict[str, Any]],
    Field(description="Key-value list of OTLP/JSON, in the order sent", examples=[[EXAMPLE_ATTRIBUTE]]),
]


class Answer(BaseModel):
    """Be the model of an answer, made from the values of the query room."""

    model_config = ConfigDict(from_attributes=True, populate_by_name=True)


class WindowAnswer(Answer):
    """Say which stretch of time an answer is about; the end does not belong to it."""

    start: Moment
    end: Moment


class ScannedAnswer(Answer):
    """Say how much was read from tables to answer."""

    rows: int = Field(examples=[81920])
    bytes: int = Field(description="After decompression", examples=[2408448])


class SourceAnswer(Answer):
    """Say what items of one source have in common."""

    service: str = Field(description="What `service.name` says", examples=["checkout"])
    resource: dict[str, Any] = Field(
        description="Resource of OTLP/JSON",
        examples=[{"attributes": [{"key": "service.name", "value": {"stringValue": "checkout"}}]}],
    )
    resource_schema_url: str = ""
    scope: dict[str, Any] = Field(description="InstrumentationScope of OTLP/JSON", examples=[{"name": "checkout.http"}])
    scope_schema_url: str = ""


class ListAnswer(Answer):
    """Be the model of one page of a list."""

    window: WindowAnswer = Field(description="What the list is about; the same on all its pages")
    next_cursor: str | None = Field(
        None, description="Send it as `cursor` with the same parameters for the next page; null on the last page"
    )


class WindowQuery(BaseModel):
    """Ask about a stretch of time; a parameter that is not known is refused."""

    model_config = ConfigDict(extra="forbid")

    start: str | None = Field(
        None, description=f"{TIME_FORMS}; default: an hour before the end", examples=[EXAMPLE_TIME]
    )
    end: str | None = Field(
        None,
        description=f"{TIME_FORMS}, not included; default: now; at most 31 days after the start",
        examples=["1769846400"],
    )
    window: str | None = Field(
        None, description="How long before the end it begins, instead of a start", examples=["15m"]
    )
    cursor: str | None = Field(None, description="`next_cursor` of the page before")

    def request(self, place_type: type[PlaceT], *path: str, now_ns: int) -> ListRequest[PlaceT]:
        """Return which list is asked for.

        Args:
            place_type: what a place in this list is.
            path: the list's name, and what stands in the path.
            now_ns: what time it is.

        Raises:
            InvalidRequest: the window is none, or the cursor is not one of this list.
        """
        asked = self.model_dump(mode="json", exclude={"start", "end", "window", "cursor", "limit"})
        return parse_list_request(
            place_type,
            start=self.start,
            end=self.end,
            length=self.window,
            cursor=self.cursor,
            asked=[*path, asked],
            now_ns=now_ns,
        )


def list_members(request: ListRequest[PlaceT], next_place: PlaceT | None) -> dict[str, Any]:
    """Return the members that every `ListAnswer` has."""
    return {"window": window_answer(request.window), "next_cursor": request.cursor(next_place)}


def window_answer(window: Window) -> WindowAnswer:
    """Return a window as it is shown."""
    return WindowAnswer.model_validate({"start": window.start_ns, "end": window.end_ns})


def source_answers(sources: Mapping[int, Source]) -> dict[str, SourceAnswer]:
    """Return sources as they are shown, by their number as text."""
    return {
        str(number): SourceAnswer(
            service=source.service,
            resource=to_otlp_json(source.resource),
            resource_schema_url=source.resource_schema_url,
            scope=to_otlp_json(source.scope),
            scope_schema_url=source.scope_schema_url,
        )
        for number, source in sources.items()
    }
