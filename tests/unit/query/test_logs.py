import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.logs.listing import (
    LogFilter,
    LogPlace,
    LogRecord,
    list_records,
    parse_search,
    parse_severity,
    parse_span_id,
    window_of_trace,
)
from homeostat_server.query.times import TIME_NS_MAX
from homeostat_server.query.window import SPAN_NS_MAX, Window
from tests import otlp
from tests.otlp import NOW_NS, SPAN_ID, TRACE_ID
from tests.telemetry_store import FilledStore

WINDOW = Window(NOW_NS - 10**9, NOW_NS + 3_600 * 10**9)


def found(filled: FilledStore, tenant: Tenant, conditions: LogFilter) -> list[LogRecord]:
    """Return the records of the first page."""
    answer = list_records(filled.store, tenant=tenant, window=WINDOW, conditions=conditions, records_max=100)
    return list(answer.page.items)


def test_a_record_without_a_time_has_the_time_it_was_observed_or_received(filled: FilledStore) -> None:
    """And says which."""
    tenant = filled.new_tenant()
    filled.insert(
        tenant,
        otlp.logs(
            otlp.record(observed_time_unix_nano=0),
            otlp.record(time_unix_nano=0, observed_time_unix_nano=NOW_NS + 1),
            otlp.record(time_unix_nano=0, observed_time_unix_nano=0),
        ),
        received_ns=NOW_NS + 5 * 10**9,
    )
    records = found(filled, tenant, LogFilter())
    assert [record.time_origin for record in records] == ["received", "observed", "time"]
    assert [record.observed_time_ns for record in records] == [None, NOW_NS + 1, None]


@pytest.mark.parametrize(
    ("conditions", "names"),
    [
        (LogFilter(service="shop"), "abc"),
        (LogFilter(service="cart"), ""),
        (LogFilter(trace_id=TRACE_ID.hex()), "ac"),
        (LogFilter(span_id=SPAN_ID.hex()), "ab"),
        (LogFilter(severity_min=13), "bc"),
        (LogFilter(severity_min=17), "c"),
        (LogFilter(search="fox"), "a"),
        (LogFilter(search="quick, fox"), "a"),
        (LogFilter(search="FOX"), "a"),
        (LogFilter(trace_id=TRACE_ID.hex(), severity_min=13, service="shop"), "c"),
    ],
)
def test_conditions_narrow_the_list(filled: FilledStore, conditions: LogFilter, names: str) -> None:
    """Each alone and several together; a severity that is only said in words counts."""
    tenant = filled.new_tenant()
    filled.insert(
        tenant,
        otlp.logs(
            otlp.record(event_name="a", body=AnyValue(string_value="the quick-brown fox")),
            otlp.record(event_name="b", trace_id=b"", severity_number=13),
            otlp.record(event_name="c", span_id=b"", severity_number=0, severity_text="Error"),
        ),
    )
    assert "".join(sorted(record.event_name for record in found(filled, tenant, conditions))) == names


def test_the_records_of_a_trace_are_looked_for_around_it(filled: FilledStore) -> None:
    """Fifteen minutes each way, within the bounds of time; around now when the trace is not known."""
    tenant = filled.new_tenant()
    unknown = window_of_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex(), otherwise=WINDOW)
    assert unknown == WINDOW
    filled.insert(tenant, otlp.traces(otlp.span()))
    around = window_of_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex(), otherwise=WINDOW)
    assert around == Window(NOW_NS - 900 * 10**9, NOW_NS + 901 * 10**9 - 1)
    filled.insert(tenant, otlp.traces(otlp.span(start_time_unix_nano=1)))
    long = window_of_trace(filled.store, tenant=tenant, trace_id=TRACE_ID.hex(), otherwise=WINDOW)
    assert long == Window(0, SPAN_NS_MAX)
    late = filled.new_tenant()
    filled.insert(late, otlp.traces(otlp.span(start_time_unix_nano=TIME_NS_MAX)))
    last = window_of_trace(filled.store, tenant=late, trace_id=TRACE_ID.hex(), otherwise=WINDOW)
    assert last.end_ns == TIME_NS_MAX


def test_equal_records_are_given_by_number(filled: FilledStore) -> None:
    """A whole page of records that nothing tells apart goes on behind those that were given."""
    tenant = filled.new_tenant()
    filled.insert(tenant, otlp.logs(*(otlp.record() for _ in range(5))))
    sizes: list[int] = []
    after: LogPlace | None = None
    while not sizes or after is not None:
        page = list_records(
            filled.store, tenant=tenant, window=WINDOW, conditions=LogFilter(), records_max=2, after=after
        ).page
        sizes.append(len(page.items))
        after = page.next_place
    assert sizes == [2, 2, 1]


@pytest.mark.parametrize(("text", "number"), [("warn", 13), ("WARN", 13), ("1", 1), ("24", 24), ("Trace", 1)])
def test_a_severity_is_a_name_or_a_number(text: str, number: int) -> None:
    """In any case."""
    assert parse_severity(text) == number


@pytest.mark.parametrize("text", ["", "0", "25", "loud", "-1", "1.5", "٣", "0017"])
def test_what_is_no_severity_is_refused(text: str) -> None:
    """The error lists the names."""
    with pytest.raises(InvalidRequest, match="trace, debug, info, warn, error, fatal"):
        parse_severity(text)


@pytest.mark.parametrize("text", ["", "--", " ", "a" * 513])
def test_a_search_without_a_word_is_refused(text: str) -> None:
    """It would find nothing, whatever there is."""
    with pytest.raises(InvalidRequest, match="search for words"):
        parse_search(text)


def test_a_span_id_is_16_digits() -> None:
    """In any case."""
    assert parse_span_id("AB" * 8) == "ab" * 8
    with pytest.raises(InvalidRequest, match="16 hexadecimal digits"):
        parse_span_id("ab")


def test_a_search_is_words_with_a_letter_a_digit_or_another_script() -> None:
    """Anything that the index has a token for."""
    for text in ("a", "-5-", "ü", "日本"):
        assert parse_search(text) == text
