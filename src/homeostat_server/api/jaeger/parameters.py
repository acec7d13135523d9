"""What callers of Jaeger's API write, read as Jaeger reads it. It asks the store nothing."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

import orjson
from pydantic import BaseModel, Field

from homeostat_server.api.go_values import (
    parse_boolean,
    parse_go_duration,
    parse_integer,
    parse_rfc_3339,
    quoted,
)
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.jaeger.search import Search
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.window import Window

LIMIT_USUAL: Final = 100
LIMIT_MAX: Final = 1_500
"""The most that Jaeger's UI asks for."""

LOOK_BACK_NS: Final = 2 * 86_400 * NS_PER_S
"""How long a search is that says no start."""

TRACE_IDS_MAX: Final = 100
TAGS_LENGTH_MAX: Final = 16_384

_NS_PER_US: Final = 1_000
_NS_PER_MS: Final = 1_000_000
_ID_DIGITS_MAX: Final = 32

T = TypeVar("T")


class TraceParameters(BaseModel):
    """Ask for one trace."""

    start: str | None = Field(None, description="Microseconds since 1970; accepted, a trace is found without it")
    end: str | None = Field(None, description="Microseconds since 1970; accepted, a trace is found without it")
    raw: str | None = Field(None, description="`true`: without warnings", examples=["true"])
    prettyPrint: str | None = Field(None, description="`true`: over several lines")  # noqa: N815 - Jaeger's name

    def is_raw(self) -> bool:
        """Say whether no warnings are wanted.

        Raises:
            InvalidRequest: a parameter cannot be read.
        """
        for name, text in (("start", self.start), ("end", self.end)):
            _named(name, parse_integer, text)
        return bool(_named("raw", parse_boolean, self.raw))

    def is_pretty(self) -> bool:
        """Say whether the answer is for a person."""
        return self.prettyPrint not in (None, "", "false")


class SearchParameters(TraceParameters):
    """Ask for traces."""

    service: str | None = Field(None, description="The span's service; needed without `traceID`", examples=["checkout"])
    operation: str | None = Field(None, description="The span's name", examples=["POST /orders"])
    tags: list[str] = Field(default=[], description="Object of texts, as JSON", examples=[['{"error":"true"}']])
    tag: list[str] = Field(default=[], description="`key:value`", examples=[["error:true"]])
    minDuration: str | None = Field(None, description="The span took at least so long", examples=["100ms"])  # noqa: N815
    maxDuration: str | None = Field(None, description="The span took at most so long", examples=["1.5s"])  # noqa: N815
    limit: str | None = Field(None, description=f"Traces at most; default {LIMIT_USUAL}, at most {LIMIT_MAX}")
    lookback: str | None = Field(None, description="What the UI's window was called; not read, as in Jaeger")
    traceID: list[str] = Field(default=[], description="These traces instead of a search")  # noqa: N815 - Jaeger's name

    def trace_ids(self) -> list[str]:
        """Return the traces that are asked for by id.

        Raises:
            InvalidRequest: one is no id, or there are too many.
        """
        if len(self.traceID) > TRACE_IDS_MAX:
            hint = f"Ask for at most {TRACE_IDS_MAX} at once."
            raise InvalidRequest("look up traces", value=f"{len(self.traceID)} ids", hint=hint)
        return [trace_id_of_text(text, prefix="cannot parse traceID param: ") for text in self.traceID]

    def traces_max(self) -> int:
        """Return how many traces are wanted at most.

        Raises:
            InvalidRequest: it is no number, or too large a one.
        """
        return limit_of(LIMIT_USUAL if not self.limit else parse_integer(self.limit, bits=32))

    def window(self, *, now_ns: int) -> Window:
        """Return where to look; both ends belong to it.

        Raises:
            InvalidRequest: an end cannot be read, or the window is none.
        """
        start_us = _named("start", parse_integer, self.start)
        end_us = _named("end", parse_integer, self.end)
        start_ns = max(0, now_ns - LOOK_BACK_NS) if start_us is None else start_us * _NS_PER_US
        return Window(start_ns, (now_ns if end_us is None else end_us * _NS_PER_US) + 1)

    def search(self) -> Search:
        """Return what a span has to fulfil.

        Raises:
            InvalidRequest: a parameter cannot be read, or there is no service.
        """
        tags = [_key_and_value(tag) for tag in self.tag]
        for text in self.tags:
            tags.extend(_object_of_texts(text).items())
        self.traces_max()
        shortest_ns = _named("minDuration", parse_go_duration, self.minDuration) or None
        longest_ns = _named("maxDuration", parse_go_duration, self.maxDuration) or None
        if not self.service:
            raise service_required()
        if shortest_ns is not None and longest_ns is not None and longest_ns < shortest_ns:
            raise InvalidRequest("'maxDuration' should be greater than 'minDuration'")
        return Search(
            service=self.service,
            operation=self.operation or None,
            duration_min_ns=shortest_ns,
            duration_max_ns=longest_ns,
            tags=list(dict(tags).items()),
        )


class DependenciesParameters(BaseModel):
    """Ask which services call which."""

    endTs: str | None = Field(None, description="Milliseconds since 1970; default: now")  # noqa: N815 - Jaeger's name
    lookback: str | None = Field(None, description="Milliseconds before the end; default: a day")
    service: str | None = Field(None, description="Only what this service calls or is called by")

    def window(self, *, now_ns: int) -> Window:
        """Return where to look.

        Raises:
            InvalidRequest: a parameter cannot be read, or the window is none.
        """
        end_ms = _named("endTs", parse_integer, self.endTs)
        length_ms = _named("lookback", parse_integer, self.lookback)
        end_ns = now_ns + 1 if end_ms is None else end_ms * _NS_PER_MS
        length_ns = 86_400 * NS_PER_S if length_ms is None else length_ms * _NS_PER_MS
        return Window(max(0, end_ns - length_ns), end_ns)


class V3TraceParameters(BaseModel):
    """Ask for one trace in the third version."""

    start_time: str | None = Field(None, description="RFC 3339; accepted, a trace is found without it")
    end_time: str | None = Field(None, description="RFC 3339; accepted, a trace is found without it")
    raw_traces: str | None = Field(None, description="`true` or `false`; traces are always as they were sent")

    def check(self) -> None:
        """Return when all of it can be read.

        Raises:
            InvalidRequest: a parameter cannot be read.
        """
        malformed("start_time", parse_rfc_3339, self.start_time)
        malformed("end_time", parse_rfc_3339, self.end_time)
        malformed("raw_traces", parse_boolean, self.raw_traces)


class V3SearchParameters(BaseModel):
    """Ask for traces in the third version."""

    service_name: str = Field("", alias="query.service_name", examples=["checkout"])
    operation_name: str = Field("", alias="query.operation_name", examples=["POST /orders"])
    start_time_min: str = Field("", alias="query.start_time_min", description="RFC 3339, needed")
    start_time_max: str = Field("", alias="query.start_time_max", description="RFC 3339, needed")
    num_traces: str = Field("", alias="query.num_traces", description=f"At most {LIMIT_MAX}; default {LIMIT_USUAL}")
    duration_min: str = Field("", alias="query.duration_min", examples=["100ms"])
    duration_max: str = Field("", alias="query.duration_max", examples=["1.5s"])
    raw_traces: str = Field("", alias="query.raw_traces", description="Traces are always as they were sent")

    def window(self) -> Window:
        """Return where to look; both ends belong to it.

        Raises:
            InvalidRequest: an end is missing or cannot be read, or the window is none.
        """
        if not self.start_time_min or not self.start_time_max:
            raise InvalidRequest("query.start_time_min and query.start_time_max are required")
        start_ns = malformed("query.start_time_min", parse_rfc_3339, self.start_time_min)
        end_ns = malformed("query.start_time_max", parse_rfc_3339, self.start_time_max)
        return Window(start_ns or 0, (end_ns or 0) + 1)

    def traces_max(self) -> int:
        """Return how many traces are wanted at most.

        Raises:
            InvalidRequest: it is no number, or too large a one.
        """
        asked = malformed("query.num_traces", lambda text: parse_integer(text, function="Atoi"), self.num_traces)
        return limit_of(asked or LIMIT_USUAL)

    def search(self) -> Search:
        """Return what a span has to fulfil.

        Raises:
            InvalidRequest: a parameter cannot be read.
        """
        malformed("query.raw_traces", parse_boolean, self.raw_traces)
        return Search(
            service=self.service_name or None,
            operation=self.operation_name or None,
            duration_min_ns=malformed("query.duration_min", parse_go_duration, self.duration_min) or None,
            duration_max_ns=malformed("query.duration_max", parse_go_duration, self.duration_max) or None,
        )


def trace_id_of_text(text: str, *, prefix: str = "") -> str:
    """Return a trace id as 32 small hexadecimal digits; one with fewer has zeros before them.

    Raises:
        InvalidRequest: it is none.
    """
    if len(text) > _ID_DIGITS_MAX:
        told = f"TraceID cannot be longer than {_ID_DIGITS_MAX} hex characters: {text[:100]}"
        raise InvalidRequest(f"{prefix}{told}")
    if not text or any(letter not in "0123456789abcdefABCDEF" for letter in text):
        raise InvalidRequest(f"{prefix}strconv.ParseUint: parsing {quoted(text)}: invalid syntax")
    return text.lower().zfill(_ID_DIGITS_MAX)


def service_required() -> InvalidRequest:
    """Return the error that says that a service has to be named."""
    return InvalidRequest("parameter 'service' is required")


def limit_of(limit: int) -> int:
    """Return a limit that is one.

    Raises:
        InvalidRequest: it is not between 1 and the largest.
    """
    if not 1 <= limit <= LIMIT_MAX:
        raise InvalidRequest(f"search depth must be greater than 0 and at most {LIMIT_MAX}")
    return limit


def malformed(name: str, parse: Callable[[str], T], text: str | None) -> T | None:
    """Return what a parameter of the third version says, None when it is empty.

    Raises:
        InvalidRequest: it cannot be read.
    """
    if not text:
        return None
    try:
        return parse(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"malformed parameter {name}: {error}") from error


def _named(name: str, parse: Callable[[str], T], text: str | None) -> T | None:
    if not text:
        return None
    try:
        return parse(text)
    except InvalidRequest as error:
        raise InvalidRequest(f"unable to parse param '{name}': {error}") from error


def _key_and_value(tag: str) -> tuple[str, str]:
    key, colon, value = tag.partition(":")
    if not colon:
        raise InvalidRequest(f"malformed 'tag' parameter, expecting key:value, received: {tag[:100]}")
    return key, value


def _object_of_texts(text: str) -> dict[str, str]:
    malformed_tags = "malformed 'tags' parameter, cannot unmarshal JSON: "
    if len(text) > TAGS_LENGTH_MAX:
        raise InvalidRequest(f"{malformed_tags}it is longer than {TAGS_LENGTH_MAX} characters")
    try:
        document: Any = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"{malformed_tags}{error}") from error
    if not isinstance(document, dict) or not all(isinstance(value, str) for value in document.values()):
        raise InvalidRequest(f"{malformed_tags}it is no object of texts")
    return document
