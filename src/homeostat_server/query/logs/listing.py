"""Log records, newest first, page by page: none is skipped and none comes twice, also where many have one time.

Its invariant is the order (time, segment, content): records that are equal in all three are equal in every field.
"""

import re
from dataclasses import dataclass
from enum import IntEnum, unique
from typing import Final, NamedTuple

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.logs import sql
from homeostat_server.query.page import Page
from homeostat_server.query.rows import digits, integer, pairs, raw, text
from homeostat_server.query.sources import Source, read_sources
from homeostat_server.query.sql import ONE_TRACE
from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.query.traces.lookup import bounds_of_trace
from homeostat_server.query.values import Json, attributes_json, value_json
from homeostat_server.query.window import SPAN_NS_MAX, Window
from homeostat_server.store.ports import Parameter, Row, TelemetryReader

RECORDS_MAX: Final = 1_000
"""Of one page: with attributes some megabytes of JSON."""

SEARCH_LENGTH_MAX: Final = 512

AROUND_TRACE_NS: Final = 900 * NS_PER_S
"""How long before and after a trace its logs are looked for: clocks differ, and work goes on behind an answer."""

_NO_TRACE: Final = bytes(16)
_NO_SPAN: Final = bytes(8)
_TIME_ORIGINS: Final = ("time", "observed", "received")
_SPAN_ID: Final = re.compile(r"[0-9a-fA-F]{16}")
_TOKEN: Final = re.compile(r"[0-9A-Za-z]|[^\x00-\x7f]")


@unique
class Severity(IntEnum):
    """Name the lowest number of each of OTLP's ranges of severity."""

    TRACE = 1
    DEBUG = 5
    INFO = 9
    WARN = 13
    ERROR = 17
    FATAL = 21


SEVERITY_MAX: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Hold what a record has to fulfil; None asks for nothing.

    Attributes:
        service: name of its service.
        trace_id: id of its trace, hexadecimal.
        span_id: id of its span, hexadecimal.
        severity_min: lowest number of its severity.
        search: words that are all in its body, in any order; ASCII letters in any case.
    """

    service: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    severity_min: int | None = None
    search: str | None = None

    def conditions(self) -> list[str]:
        """Return the conditions as SQL; the values are in `parameters()`."""
        asked = [
            ("service = {service:String}", self.service),
            (ONE_TRACE, self.trace_id),
            ("span_id = unhex({span_id:String})", self.span_id),
            (sql.SEVERITY, self.severity_min),
            (sql.SEARCH, self.search),
        ]
        return [condition for condition, value in asked if value is not None]

    def parameters(self) -> dict[str, Parameter]:
        """Return the values of the conditions."""
        asked: dict[str, Parameter | None] = {
            "service": self.service,
            "trace_id": self.trace_id,
            "span_id": self.span_id,
            "severity": self.severity_min,
            "search": self.search,
        }
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """Hold one record.

    Attributes:
        time_ns: when it happened, or, as `time_origin` says, when it was observed or received.
        time_origin: "time", "observed" or "received".
        observed_time_ns: when it was observed, None when the sender did not say.
        severity_number: 1 to 24, 0 when the sender did not say.
        severity_text: the sender's own word for it.
        event_name: what kind of event it is, empty when it is none.
        body: AnyValue of OTLP/JSON, None when there is none.
        trace_id: hexadecimal, empty when there is none.
        span_id: hexadecimal, empty when there is none.
        flags: of its trace.
        service: name of its service.
        source: number of its resource and scope.
        attributes: key-value list of OTLP/JSON.
        dropped_attributes_count: how many the sender left out.
    """

    time_ns: int
    time_origin: str
    observed_time_ns: int | None
    severity_number: int
    severity_text: str
    event_name: str
    body: Json | None
    trace_id: str
    span_id: str
    flags: int
    service: str
    source: int
    attributes: list[Json]
    dropped_attributes_count: int


class LogPlace(NamedTuple):
    """Hold the place of a record, and how many of the equal ones there have been given."""

    time_ns: int
    segment: int
    content: int
    given: int


@dataclass(frozen=True, slots=True)
class LogPage:
    """Hold a page of records and what their sources stand for."""

    page: Page[LogRecord, LogPlace]
    sources: dict[int, Source]


def parse_severity(text_: str) -> int:
    """Return the lowest number of a severity given by its name or number.

    Raises:
        InvalidRequest: there is no such severity.
    """
    if text_.upper() in Severity.__members__:
        return Severity[text_.upper()].value
    if text_.isascii() and text_.isdecimal() and len(text_) <= 2 and 1 <= int(text_) <= SEVERITY_MAX:
        return int(text_)
    names = ", ".join(name.lower() for name in Severity.__members__)
    raise InvalidRequest("read severity", value=text_, hint=f"It is one of {names}, or a number from 1 to 24.")


def parse_span_id(text_: str) -> str:
    """Return a span id as 16 small hexadecimal digits.

    Raises:
        InvalidRequest: it is none.
    """
    if not _SPAN_ID.fullmatch(text_):
        raise InvalidRequest("use a span id", value=text_, hint="A span id is 16 hexadecimal digits.")
    return text_.lower()


def parse_search(text_: str) -> str:
    """Return words to look for.

    Raises:
        InvalidRequest: there is none, or the text is too long.
    """
    if len(text_) > SEARCH_LENGTH_MAX or not _TOKEN.search(text_):
        raise InvalidRequest(
            "search for words",
            value=text_,
            hint=f"Give at least one word of letters or digits, and at most {SEARCH_LENGTH_MAX} characters.",
        )
    return text_


def window_of_trace(reader: TelemetryReader, *, tenant: Tenant, trace_id: str, otherwise: Window) -> Window:
    """Return where a trace's records are looked for when nobody says, the other window when the trace is not known."""
    bounds = bounds_of_trace(reader, tenant=tenant, trace_id=trace_id)
    if bounds is None:
        return otherwise
    start_ns = max(0, bounds[0] - AROUND_TRACE_NS)
    return Window(start_ns, min(bounds[1] + AROUND_TRACE_NS, TIME_NS_MAX, start_ns + SPAN_NS_MAX))


def list_records(
    reader: TelemetryReader,
    *,
    tenant: Tenant,
    window: Window,
    conditions: LogFilter,
    records_max: int,
    after: LogPlace | None = None,
) -> LogPage:
    """Return the next records in the window that fulfil all conditions, newest first."""
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **window.parameters(),
        "before_ns": window.last_ns,
        **conditions.parameters(),
        "rows": records_max + 1,
        "skip": 0,
    }
    if after is not None:
        parameters |= {"last_ns": after.time_ns, "before_ns": after.time_ns - 1, "skip": after.given}
        parameters |= {"segment": after.segment, "content": after.content}
    rows = reader.read(tenant, sql.records(conditions.conditions(), after=after is not None), parameters)
    given = rows[:records_max]
    place = _next_place(given, after) if len(rows) > records_max else None
    records = tuple(_record(row) for row in given)
    sources = read_sources(reader, tenant=tenant, numbers={record.source for record in records})
    return LogPage(Page(records, place), sources)


def _next_place(rows: list[Row], after: LogPlace | None) -> LogPlace:
    places = [(integer(row["time_ns"]), integer(row["segment"]), integer(row["content"])) for row in rows]
    last = places[-1]
    given = places.count(last)
    if after is not None and (after.time_ns, after.segment, after.content) == last:
        given += after.given
    return LogPlace(*last, given)


def _record(row: Row) -> LogRecord:
    trace_id, span_id = raw(row["trace_id"]), raw(row["span_id"])
    return LogRecord(
        time_ns=integer(row["time_ns"]),
        time_origin=_TIME_ORIGINS[integer(row["time_origin"])],
        observed_time_ns=integer(row["observed_ns"]) or None,
        severity_number=integer(row["severity_number"]),
        severity_text=text(row["severity_text"]),
        event_name=text(row["event_name"]),
        body=value_json(integer(row["body_kind"]), raw(row["body"])) or None,
        trace_id="" if trace_id == _NO_TRACE else trace_id.hex(),
        span_id="" if span_id == _NO_SPAN else span_id.hex(),
        flags=integer(row["flags"]),
        service=text(row["service"]),
        source=integer(row["source"]),
        attributes=attributes_json(pairs(row["attributes"]), digits(row["attribute_kinds"])),
        dropped_attributes_count=integer(row["dropped_attributes"]),
    )
