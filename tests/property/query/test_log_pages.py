from collections import Counter
from collections.abc import Iterator

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as Sent

from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.logs.listing import LogFilter, LogPlace, LogRecord, list_records
from homeostat_server.query.values import Json
from homeostat_server.query.window import Window
from tests import otlp
from tests.otlp_strategies import log_records
from tests.telemetry_store import FilledStore

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))

BEGIN_NS = otlp.NOW_NS
WINDOW = Window(BEGIN_NS, BEGIN_NS + 1_000 * 10**9)
# Few moments, so that many records have one time, also on the two sides of a bucket's edge.
TIMES = st.sampled_from([BEGIN_NS, BEGIN_NS + 1, BEGIN_NS + 300 * 10**9 - 1, BEGIN_NS + 300 * 10**9])
RECORDS = log_records(TIMES)


def read_pages(
    filled: FilledStore, tenant: Tenant, *, size: int, conditions: LogFilter | None = None
) -> Iterator[tuple[LogRecord, ...]]:
    """Yield what each page gives."""
    after: LogPlace | None = None
    while True:
        found = list_records(
            filled.store,
            tenant=tenant,
            window=WINDOW,
            conditions=conditions or LogFilter(),
            records_max=size,
            after=after,
        )
        yield found.page.items
        after = found.page.next_place
        if after is None:
            return


def as_sent(record: Sent) -> Json:
    """Return a record as JSON, with what a reader cannot tell apart made the same."""
    document = to_otlp_json(record)
    document["attributes"] = [{"value": {}} | {"key": ""} | entry for entry in document.get("attributes", ())]
    return document


def as_found(record: LogRecord) -> Json:
    """Return what a record says in the words of OTLP/JSON, without what it does not say."""
    said = {
        "timeUnixNano": str(record.time_ns),
        "observedTimeUnixNano": str(record.observed_time_ns or ""),
        "severityNumber": record.severity_number,
        "severityText": record.severity_text,
        "eventName": record.event_name,
        "body": record.body,
        "traceId": record.trace_id,
        "spanId": record.span_id,
        "flags": record.flags,
        "droppedAttributesCount": record.dropped_attributes_count,
    }
    return {key: value for key, value in said.items() if value} | {"attributes": record.attributes}


def _text(document: Json) -> bytes:
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)


@SETTINGS
@given(first=st.lists(RECORDS, min_size=1, max_size=8), copies=st.integers(1, 3), size=st.integers(1, 6))
def test_pages_give_every_record_once_as_it_was_sent(
    filled: FilledStore, first: list[Sent], copies: int, size: int
) -> None:
    """None is skipped or repeated, also when records are equal in every field and lie in several segments."""
    tenant = filled.new_tenant()
    filled.insert(tenant, otlp.logs(*first, *first[:2]))
    for _ in range(copies - 1):
        filled.insert(tenant, otlp.logs(*first))
    pages = list(read_pages(filled, tenant, size=size))
    found = [record for page in pages for record in page]
    sent = [*first * copies, *first[:2]]
    assert Counter(_text(as_found(record)) for record in found) == Counter(_text(as_sent(record)) for record in sent)
    assert [len(page) for page in pages[:-1]] == [size] * (len(pages) - 1)
    assert [record.time_ns for record in found] == sorted((record.time_ns for record in found), reverse=True)


@SETTINGS
@given(first=st.lists(RECORDS, min_size=2, max_size=8), late=st.lists(RECORDS, min_size=1, max_size=8))
def test_what_arrives_between_pages_changes_nothing_of_what_was_there(
    filled: FilledStore, first: list[Sent], late: list[Sent]
) -> None:
    """Every record that was there at the first page is given once, however much arrives meanwhile."""
    tenant = filled.new_tenant()
    # The words tell the records apart: those of `first` are "early", whatever else they say.
    for record in first:
        record.severity_text = "early"
    filled.insert(tenant, otlp.logs(*first))
    found: list[LogRecord] = []
    for page in read_pages(filled, tenant, size=1):
        if not found:
            filled.insert(tenant, otlp.logs(*late))
        found += page
    early = [record for record in found if record.severity_text == "early"]
    assert Counter(_text(as_found(record)) for record in early) == Counter(_text(as_sent(record)) for record in first)


WORDS = st.sampled_from(["alpha", "beta", "Alpha", "alphabet", "Grüße", "x1"])
SENTENCES = st.lists(WORDS, max_size=4)
SEPARATORS = st.sampled_from([" ", ", ", "-", "_", "=", "/"])


@SETTINGS
@given(
    bodies=st.lists(st.tuples(SENTENCES, SEPARATORS), min_size=1, max_size=10),
    search=st.lists(WORDS, min_size=1, max_size=2),
)
def test_a_search_gives_the_records_that_have_all_words(
    filled: FilledStore, bodies: list[tuple[list[str], str]], search: list[str]
) -> None:
    """Words are runs of letters and digits, in any case; a part of a word is not found."""
    tenant = filled.new_tenant()
    texts = [separator.join(words) for words, separator in bodies]
    records = [otlp.record() for _ in texts]
    for record, text in zip(records, texts, strict=True):
        record.body.string_value = text
    filled.insert(tenant, otlp.logs(*records))
    pages = read_pages(filled, tenant, size=100, conditions=LogFilter(search=" ".join(search)))
    found = Counter(record.body["stringValue"] for page in pages for record in page if record.body)
    asked = {word.lower() for word in search}
    has_all = [asked <= {word.lower() for word in words} for words, _ in bodies]
    assert found == Counter(text for text, is_found in zip(texts, has_all, strict=True) if is_found)
