import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.ingest.checks.examination import Examined, canonical, examine, parse_request
from homeostat_server.ingest.checks.refusals import EXPLANATIONS, Findings, Refusal
from homeostat_server.model.signal import Signal
from tests.otlp import TRACE_ID, logs, metric, metrics, number, record, span, traces

GOOD = {Signal.TRACES: traces(span()), Signal.LOGS: logs(record()), Signal.METRICS: metrics(metric(number()))}


def examined(signal: Signal, body: bytes) -> Examined:
    """Return what the checks say about a body, ten attributes allowed."""
    return examine(parse_request(signal, body=body), signal=signal, body=body, attributes_max=10)


@pytest.mark.parametrize("signal", Signal)
def test_a_good_request_is_stored_as_its_sender_wrote_it(signal: Signal) -> None:
    """The bytes are the sender's own, also where this process would have written them in another way."""
    body = GOOD[signal].SerializeToString() + b"\xf8\x07\x01"  # a field of the future
    result = examined(signal, body)
    assert result.body is body
    assert (result.items, result.rejected, result.explanation) == (1, 0, "")


@pytest.mark.parametrize("signal", Signal)
@pytest.mark.parametrize("body", [b"", b"\x0a\x00"])
def test_a_request_without_items_has_nothing_to_store(signal: Signal, body: bytes) -> None:
    """An empty request, or one of empty blocks, is fine and leaves no trace."""
    assert examined(signal, body) == Examined(body=b"", items=0)


@pytest.mark.parametrize("signal", Signal)
def test_an_unparsable_body_is_refused_as_a_whole(signal: Signal) -> None:
    """What is not protobuf of this type is an error that names the signal."""
    with pytest.raises(InvalidRequest, match=signal.value):
        parse_request(signal, body=b"\x0a\x05no")


def test_refused_items_are_left_out_and_explained() -> None:
    """What is stored lacks the refused items, and the sender is told how many, why, and where the first was."""
    body = traces(
        span(name="bad", trace_id=b""), span(name="good"), span(span_id=b""), span(span_id=b"")
    ).SerializeToString()
    result = examined(Signal.TRACES, body)
    assert (result.items, result.rejected) == (1, 3)
    assert result.body == traces(span(name="good")).SerializeToString()
    assert result.refusals == {Refusal.TRACE_ID: 1, Refusal.SPAN_ID: 2}
    assert result.explanation.startswith("2 refused: the span_id")
    assert "(first at resource_spans[0].scope_spans[0].spans[2]); 1 refused: the trace_id" in result.explanation


def test_nothing_is_stored_when_nothing_is_left() -> None:
    """A request of which every item is refused is answered, not stored."""
    result = examined(Signal.LOGS, logs(record(trace_id=b"1"), record(span_id=b"1")).SerializeToString())
    assert (result.body, result.items, result.rejected) == (b"", 0, 2)


def test_an_explanation_is_bounded() -> None:
    """However many reasons there are, the text fits into a log line."""
    findings = Findings()
    for refusal in Refusal:
        findings.add(refusal, place="somewhere" * 30)
    assert len(findings.explain()) == 1_000
    assert set(EXPLANATIONS) == set(Refusal)


def test_the_canonical_form_says_the_same_in_the_usual_way() -> None:
    """Wrong wire types, groups and unknown fields go, what the request says stays."""
    usual = traces(span(trace_id=TRACE_ID)).SerializeToString()
    odd = usual + b"\x08\x05" + b"\x9b\x06\x08\x01\x9c\x06"  # resource_spans as a varint, then a group
    assert parse_request(Signal.TRACES, body=odd) is not None
    assert canonical(Signal.TRACES, body=odd) == usual
    with pytest.raises(InvalidRequest):
        canonical(Signal.TRACES, body=b"\xff")
