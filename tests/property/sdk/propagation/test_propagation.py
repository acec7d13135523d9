import string

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import Context
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from homeostat.propagation import Correlation, PropagationConfig, Propagator, current, with_correlation
from homeostat.propagation.baggage_header import parse_baggage, render_baggage
from homeostat.propagation.trace_context import parse_traceparent, parse_tracestate, render_traceparent

PROPAGATOR = Propagator(PropagationConfig(baggage_allowed=("*",)))
ALPHABET = "0123456789abcdefABCF-.gz \t,=;%"
ids = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=","), min_size=1, max_size=128)
texts = st.text(st.characters(codec="utf-8"), max_size=40)
tokens = st.text(st.sampled_from(string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"), min_size=1, max_size=20)
state_keys = st.from_regex(
    r"[a-z][a-z0-9_\-*/]{0,20}|[a-z0-9][a-z0-9_\-*/]{0,9}@[a-z][a-z0-9_\-*/]{0,9}", fullmatch=True
)
state_values = st.from_regex(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,20}[\x21-\x2b\x2d-\x3c\x3e-\x7e]", fullmatch=True)
parents = st.builds(
    SpanContext,
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.just(value=True),
    st.sampled_from([TraceFlags(value) for value in range(4)]),
    st.dictionaries(state_keys, state_values, max_size=32).map(lambda members: TraceState(list(members.items()))),
)


@given(parents)
def test_a_parent_that_is_written_is_read_again(parent: SpanContext) -> None:
    """Ids, flags, and all members of the state in their order."""
    headers = PROPAGATOR.headers(set_span_in_context(NonRecordingSpan(parent), Context()))
    found = get_current_span(PROPAGATOR.extract(headers, Context())).get_span_context()
    assert found == parent
    assert list(found.trace_state.items()) == list(parent.trace_state.items())


@given(parents, st.text(st.sampled_from(ALPHABET), max_size=60), st.integers(0, 55), st.integers(0, 8))
def test_any_traceparent_is_a_parent_or_none(parent: SpanContext, noise: str, start: int, length: int) -> None:
    """Whatever is read is one that may be written, and what OpenTelemetry's own reader takes is taken alike."""
    text = render_traceparent(parent)
    text = text[:start] + noise + text[start + length :]
    found = parse_traceparent(text)
    assert found is None or found.is_valid
    reference = TraceContextTextMapPropagator().extract({"traceparent": text}, Context())
    expected = get_current_span(reference).get_span_context()
    if found is not None and expected.is_valid:
        assert (found.trace_id, found.span_id) == (expected.trace_id, expected.span_id)


@given(st.text(max_size=80))
def test_no_header_raises(text: str) -> None:
    """In any of the places where a header may be read."""
    names = ("traceparent", "tracestate", "baggage", "x-correlation-id", "x-causation-id", "x-request-id")
    context = PROPAGATOR.extract_message([(name, text) for name in names])
    assert current(context).correlation_id
    PROPAGATOR.headers(context)
    PROPAGATOR.extract_asgi([(name.encode(), text.encode()) for name in names])


@given(st.dictionaries(state_keys, state_values, max_size=40), st.sampled_from([",", " ,", "\t,\t ", ",,"]))
def test_a_state_is_kept_whole_or_not_at_all(members: dict[str, str], comma: str) -> None:
    """All of 32 members, in their order; none of more."""
    found = parse_tracestate(comma.join(f"{key}={value}" for key, value in members.items()))
    assert list(found.items()) == (list(members.items()) if len(members) <= 32 else [])


@given(st.dictionaries(tokens, texts, max_size=20))
def test_baggage_that_is_written_is_read_again(members: dict[str, str]) -> None:
    """Any text is a value."""
    text, dropped = render_baggage(members.items())
    assert dropped == 0
    assert parse_baggage(text) == (members, 0)


@given(st.text(st.sampled_from('abc=,;% \t"\\äé09AF'), max_size=60))
def test_baggage_that_is_read_can_be_written(text: str) -> None:
    """And says the same the second time."""
    members, _ = parse_baggage(text)
    assert parse_baggage(render_baggage(members.items())[0])[0] == members


@given(st.builds(Correlation, ids, st.none() | ids, ids, st.none() | texts, st.none() | texts))
def test_values_that_leave_arrive(values: Correlation) -> None:
    """The message's id becomes the causation id of what it leads to."""
    headers = PROPAGATOR.headers(with_correlation(values, Context()))
    found = current(PROPAGATOR.extract_message(headers.items(), message_id="next"))
    assert found == values._replace(causation_id=values.message_id, message_id="next")


@given(st.dictionaries(tokens, texts, max_size=10), st.lists(tokens, max_size=5))
def test_nothing_leaves_that_is_not_allowed(members: dict[str, str], allowed: list[str]) -> None:
    """Whatever is in baggage."""
    context = Context()
    for key, value in members.items():
        context = baggage.set_baggage(key, value, context)
    header = Propagator(PropagationConfig(baggage_allowed=tuple(allowed))).headers(context).get("baggage", "")
    prefixes = tuple(key[:-1] for key in allowed if key.endswith("*"))
    left = parse_baggage(header)[0]
    assert all(key in allowed or key.startswith(prefixes) for key in left)
