from itertools import count

import pytest

from homeostat.exceptions import ExpectationFailed
from homeostat.testing import ROOT, Expectation, RecordedEvent, RecordedLink, RecordedSpan, Spans
from homeostat.testing.spans import COMPARED_MAX, SHOWN_MAX

NUMBERS = count(1)
TRACE = f"{1:032x}"


def span(name: str, parent: RecordedSpan | None = None, **fields: object) -> RecordedSpan:
    """Return a span of the trace, below another one or on top."""
    number = next(NUMBERS)
    start_ns = number * 1_000
    told = {
        "trace_id": TRACE,
        "span_id": f"{number:016x}",
        "start_ns": start_ns,
        "end_ns": start_ns + 1_500_000,
    } | fields
    return RecordedSpan(name=name, parent_id=parent.span_id if parent else None, **told)  # type: ignore[arg-type]


ROOT_SPAN = span("POST /orders", kind="server", status="error", status_message="boom", service="orders")
PRICE = span("price", ROOT_SPAN, attributes={"tenant.id": "a", "items": [1, 2], "paid": True, "total": 1})
STORE = span(
    "store", ROOT_SPAN, events=(RecordedEvent("exception"),), links=(RecordedLink(PRICE.trace_id, PRICE.span_id),)
)
DISK = span("write", STORE)
SPANS = Spans([PRICE, DISK, STORE, ROOT_SPAN])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("price", {}),
        ("price", {"attributes": {"tenant.id": "a"}}),
        ("price", {"attributes": {"items": [1, 2]}}),
        ("price", {"attributes": {"items": (1, 2)}}),
        ("price", {"attributes": {"items": ...}}),
        ("price", {"attributes": {"total": lambda total: total > 0}}),
        ("price", {"attributes": {"total": pytest.approx(1.0)}}),
        ("price", {"parent": "POST /orders", "status": "unset", "kind": "internal"}),
        ("price", {"parent": ROOT_SPAN}),
        ("POST /orders", {"parent": ROOT, "status": "error", "kind": "server", "service": "orders"}),
        ("store", {"events": ["exception"], "linked_to": PRICE}),
    ],
)
def test_a_span_as_expected_is_found(name: str, expected: Expectation) -> None:
    """What is not said is not compared."""
    assert SPANS.assert_span(name, **expected).name == name
    with pytest.raises(ExpectationFailed, match="none was expected"):
        SPANS.assert_no_span(name, **expected)


@pytest.mark.parametrize(
    ("name", "expected", "said"),
    [
        ("price", {"attributes": {"tenant.id": "b"}}, "its tenant.id is 'a'"),
        ("price", {"attributes": {"tenant_id": ...}}, "it has no attribute 'tenant_id' (there is 'tenant.id')"),
        ("price", {"attributes": {"unlike": 1}}, "it has no attribute 'unlike'"),
        ("price", {"attributes": {"total": True}}, "its total is 1"),
        ("price", {"attributes": {"paid": 1}}, "its paid is True"),
        ("price", {"attributes": {"total": lambda total: total > 1}}, "its total is 1"),
        ("price", {"status": "ok"}, "its status is 'unset'"),
        ("price", {"kind": "client"}, "its kind is 'internal'"),
        ("price", {"service": "orders"}, "its service is ''"),
        ("price", {"parent": "store"}, "its parent is 'POST /orders'"),
        ("price", {"parent": ROOT}, "its parent is 'POST /orders'"),
        ("price", {"parent": STORE}, "its parent is 'POST /orders'"),
        ("POST /orders", {"parent": "store"}, "its parent is none, it is a root"),
        ("price", {"events": ["b", "a"]}, "it has no event 'a', 'b'"),
        ("price", {"linked_to": STORE}, "it has no link to 'store'"),
        ("prize", {}, "No span is named 'prize'; there is 'price'."),
        ("unlike", {}, "No span is named 'unlike'."),
    ],
)
def test_an_error_says_what_differs_and_shows_what_there_is(name: str, expected: Expectation, said: str) -> None:
    """A reader sees at once whether the code is wrong or the test."""
    with pytest.raises(ExpectationFailed) as failed:
        SPANS.assert_span(name, **expected)
    assert said in str(failed.value)
    assert SPANS.tree().splitlines()[0] in str(failed.value)
    SPANS.assert_no_span(name, **expected)


def test_an_error_reads_like_this() -> None:
    """The whole text, once."""
    spans = Spans([span("a"), span("b", span_id="00000000000000bb", attributes={"n": 1})])
    with pytest.raises(ExpectationFailed) as failed:
        spans.assert_span("b", attributes={"n": 2, "m": ...}, status="ok", parent=ROOT)
    assert str(failed.value).splitlines() == [
        "No span is as expected: 'b' with attributes n=2, m=…; status 'ok'; parent none.",
        "  b (00000000000000bb): its n is 1; it has no attribute 'm'; its status is 'unset'",
        "There are 2 spans:",
        "  a [internal 1.5 ms]",
        "  b [internal 1.5 ms] n=1",
    ]


def test_a_tree_shows_who_called_whom() -> None:
    """Children are below their parents in the order in which they began, with what is said about them."""
    assert SPANS.tree().splitlines() == [
        "POST /orders [server error (boom) 1.5 ms]",
        "├ price [internal 1.5 ms] tenant.id='a' items=[1, 2] paid=True total=1",
        "└ store [internal 1.5 ms]",
        "  └ write [internal 1.5 ms]",
    ]
    assert repr(SPANS) == f"<4 spans>\n{SPANS.tree()}"


def test_spans_are_a_sequence() -> None:
    """They can be indexed, cut, counted, searched and compared."""
    assert SPANS[0] is PRICE
    assert SPANS[1:3].names == ["write", "store"]
    assert SPANS[:] == SPANS
    assert hash(SPANS[:]) == hash(SPANS)
    assert Spans() != SPANS
    assert [PRICE] != SPANS
    assert PRICE in SPANS
    assert SPANS.trace_ids == [TRACE]
    assert SPANS.in_trace(TRACE) == SPANS
    assert not SPANS.in_trace("0")


def test_relations_are_found() -> None:
    """A parent that is not here counts as none; the span above all others is the root."""
    assert SPANS.roots.names == ["POST /orders"]
    assert SPANS.children(ROOT_SPAN).names == ["price", "store"]
    assert SPANS.parent(DISK) is STORE
    assert Spans([DISK]).roots.names == ["write"]
    with pytest.raises(ExpectationFailed, match="which is not here"):
        Spans([DISK]).assert_span("write", parent=ROOT)


def test_one_is_exactly_one() -> None:
    """None and two are errors that show what there is."""
    assert SPANS.one("price") is PRICE
    with pytest.raises(ExpectationFailed, match=r"(?s)No span is named 'x' where one was expected.*POST /orders"):
        SPANS.one("x")
    with pytest.raises(ExpectationFailed, match="2 spans are named 'price'"):
        Spans([PRICE, PRICE]).one("price")


def test_errors_are_of_bounded_length() -> None:
    """Many spans of one name, and many spans at all, are cut and counted."""
    spans = Spans([span("many") for _ in range(SHOWN_MAX + 10)])
    with pytest.raises(ExpectationFailed) as failed:
        spans.assert_span("many", status="ok")
    text = str(failed.value)
    assert f"and {SHOWN_MAX + 10 - COMPARED_MAX} more of this name" in text
    assert "… and 10 more" in text
    assert len(text.splitlines()) < SHOWN_MAX + 15


def test_no_spans_are_told_as_such() -> None:
    """A test whose code makes none sees that first."""
    with pytest.raises(ExpectationFailed, match="There are no spans"):
        Spans().assert_span("x")
    assert repr(Spans()) == "<0 spans>\n"
    with pytest.raises(ExpectationFailed, match="There is 1 span:"):
        Spans([PRICE]).assert_span("x")


def test_an_expected_span_is_shown_by_name() -> None:
    """In the words of the failed expectation."""
    with pytest.raises(ExpectationFailed, match=rf"parent store \({STORE.span_id}\)"):
        SPANS.assert_span("price", parent=STORE)


def test_a_weight_is_what_the_tracestate_says() -> None:
    """Sampled one in two, it stands for two."""
    assert span("a", trace_state="ot=th:8,x=1").weight == 2.0
    assert span("a").weight is None
