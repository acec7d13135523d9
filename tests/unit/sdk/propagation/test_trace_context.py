"""The cases that W3C's own suite asks of a service, and those of its text that the suite leaves out."""

import pytest
from opentelemetry.context import Context
from opentelemetry.trace import SpanContext, get_current_span

from homeostat.propagation import Propagator

TRACE = "12345678901234567890123456789012"
PARENT = "1234567890123456"
GOOD = f"00-{TRACE}-{PARENT}-01"


def arrived(*headers: tuple[str, str]) -> SpanContext:
    """Return the parent that a request with these headers has."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers]
    return get_current_span(Propagator().extract_asgi(raw)).get_span_context()


def state_of(*values: str) -> dict[str, str]:
    """Return the members of the state that a request with these `tracestate` headers has."""
    return dict(arrived(("traceparent", GOOD), *(("tracestate", value) for value in values)).trace_state)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (GOOD, 1),
        (f"00-{TRACE}-{PARENT}-00", 0),
        (f"00-{TRACE}-{PARENT}-02", 2),
        (f"00-{TRACE}-{PARENT}-ff", 3),
        (f" \t{GOOD}\t ", 1),
        (f"cc-{TRACE}-{PARENT}-01", 1),
        (f"cc-{TRACE}-{PARENT}-01-what-the-future-will-be-like", 1),
        (f"fe-{TRACE}-{PARENT}-01-", 1),
    ],
)
def test_a_valid_traceparent_is_the_parent(text: str, flags: int) -> None:
    """White space around it does not count, later versions are read as far as they are known, unknown flags are off."""
    parent = arrived(("traceparent", text))
    assert (f"{parent.trace_id:032x}", f"{parent.span_id:016x}", int(parent.trace_flags)) == (TRACE, PARENT, flags)
    assert parent.is_remote


@pytest.mark.parametrize(
    "text",
    [
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"0-{TRACE}-{PARENT}-01",
        f"000-{TRACE}-{PARENT}-01",
        f".0-{TRACE}-{PARENT}-01",
        f"0.-{TRACE}-{PARENT}-01",
        f"CC-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-.{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE[:-1]}.-{PARENT}-01",
        f"00-{TRACE[:-1]}A-{PARENT}-01",
        f"00-{TRACE[1:]}-{PARENT}-01",
        f"00-{TRACE}0-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-.{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT[:-1]}B-01",
        f"00-{TRACE}-{PARENT[1:]}-01",
        f"00-{TRACE}-{PARENT}0-01",
        f"00-{TRACE}-{PARENT}-.0",
        f"00-{TRACE}-{PARENT}-0.",
        f"00-{TRACE}-{PARENT}-001",
        f"00-{TRACE}-{PARENT}-1",
        f"00-{TRACE}-{PARENT}-0A",
        f"{GOOD}-",
        f"{GOOD}-extra",
        f"{GOOD}.",
        f"cc-{TRACE}-{PARENT}-01.what-the-future-will-not-be-like",
        f"cc-{TRACE}-{PARENT}-01what",
        f"00-{TRACE}\n-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-01\n",
        "00-" + "\u0661" * 32 + f"-{PARENT}-01",
        f"00_{TRACE}_{PARENT}_01",
    ],
)
def test_a_malformed_traceparent_starts_a_trace(text: str) -> None:
    """It is as if it had not come, and its state is not read either."""
    raw = text.encode("utf-8").decode("latin-1")
    parent = arrived(("traceparent", raw), ("tracestate", "foo=1"))
    assert not parent.is_valid
    assert not parent.trace_state


@pytest.mark.parametrize("second", [GOOD, f"00-{TRACE}-{'1' * 16}-01", "", f"cc-{TRACE}-{PARENT}-01-more"])
def test_two_traceparents_are_none(second: str) -> None:
    """Which of them is meant cannot be known, even where they are equal."""
    assert not arrived(("traceparent", f"cc-{TRACE}-{PARENT}-01-what"), ("traceparent", second)).is_valid
    assert not arrived(("traceparent", GOOD), ("traceparent", second)).is_valid


def test_a_state_without_parent_is_dropped() -> None:
    """It says something about a parent that is not known."""
    assert not arrived(("tracestate", "foo=1")).trace_state


def test_header_names_have_any_case_but_no_other_spelling() -> None:
    """As for every HTTP header."""
    propagator = Propagator()
    context = propagator.extract_http([("TraceParent", GOOD), ("TRACESTATE", "foo=1"), ("trace-state", "bar=2")])
    parent = get_current_span(context).get_span_context()
    assert parent.is_valid
    assert dict(parent.trace_state) == {"foo": "1"}
    assert not get_current_span(propagator.extract_http([("trace-parent", GOOD)])).get_span_context().is_valid


@pytest.mark.parametrize(
    ("values", "members"),
    [
        (["foo=1"], {"foo": "1"}),
        (["foo=1,bar=2"], {"foo": "1", "bar": "2"}),
        (["foo=1", "bar=2"], {"foo": "1", "bar": "2"}),
        (["foo=1", ""], {"foo": "1"}),
        (["", "foo=1"], {"foo": "1"}),
        ([""], {}),
        (["foo=1,,,bar=2,"], {"foo": "1", "bar": "2"}),
        (["foo=1 \t , \t bar=2, \t baz=3"], {"foo": "1", "bar": "2", "baz": "3"}),
        ([" foo=1\t"], {"foo": "1"}),
        (["foo= 1"], {"foo": " 1"}),
        (["foo=1=2"], {}),
        (["foo=1,foo=2"], {"foo": "1"}),
        (["foo=1", "foo=1"], {"foo": "1"}),
        (["a-_*/0=1"], {"a-_*/0": "1"}),
        (["0t@v=1"], {"0t@v": "1"}),
        ([f"{'z' * 256}=1"], {"z" * 256: "1"}),
        ([f"{'t' * 241}@{'v' * 14}=1"], {f"{'t' * 241}@{'v' * 14}": "1"}),
        ([f"foo={'v' * 256}"], {"foo": "v" * 256}),
    ],
)
def test_a_valid_state_is_kept_in_its_order(values: list[str], members: dict[str, str]) -> None:
    """Several headers are one list; empty members and white space do not count; the first of two wins."""
    assert list(state_of(*values).items()) == list(members.items())


def test_all_allowed_characters_are_kept() -> None:
    """Of keys and of values."""
    key = "".join(map(chr, [*range(0x61, 0x7B), *range(0x30, 0x3A)])) + "_-*/"
    value = "".join(map(chr, [*range(0x20, 0x2C), *range(0x2D, 0x3D), *range(0x3E, 0x7F)]))
    assert state_of(f"{key}={value}") == {key: value}


@pytest.mark.parametrize(
    "text",
    [
        "foo =1",
        "FOO=1",
        "foo.bar=1",
        "foo@=1,bar=2",
        "@foo=1,bar=2",
        "foo@@bar=1,bar=2",
        "foo@bar@baz=1,bar=2",
        f"foo=1,{'z' * 257}=1",
        f"foo=1,{'t' * 242}@v=1",
        f"foo=1,t@{'v' * 15}=1",
        f"foo={'v' * 257}",
        "foo=\t1",
        "foo=ä",
        "foo=,bar=3",
        "foo,bar=3",
        "=1",
    ],
)
def test_a_malformed_state_is_dropped_as_a_whole(text: str) -> None:
    """The parent stays, so that one bad vendor does not cut the trace."""
    parent = arrived(("traceparent", GOOD), ("tracestate", text))
    assert parent.is_valid
    assert not parent.trace_state


def test_32_members_are_kept_and_33_are_not() -> None:
    """Empty members do not count; whoever sends more sends nothing that may be passed on."""
    members = [f"bar{number:02}={number}" for number in range(33)]
    assert len(state_of(",".join(members[:32]))) == 32
    assert len(state_of(",".join([*members[:16], "", "", *members[16:32]]))) == 32
    assert not state_of(",".join(members))
    assert not state_of(*members)


def test_an_endless_state_is_not_looked_at() -> None:
    """A broker has no bound on headers as a web server has."""
    assert not state_of("foo=1," + " " * 100_000)


def test_what_came_goes_on() -> None:
    """Parent, flags and state leave as they arrived where no span is made between."""
    propagator = Propagator()
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-03", "tracestate": "foo=1,bar= 2"}
    context = propagator.extract(headers, Context())
    assert {name: propagator.headers(context)[name] for name in headers} == headers


def test_a_later_version_goes_on_in_ours() -> None:
    """Version 00 is what is known here, so nothing else may be claimed."""
    propagator = Propagator()
    context = propagator.extract({"traceparent": f"cc-{TRACE}-{PARENT}-f1-more"}, Context())
    assert propagator.headers(context)["traceparent"] == GOOD


def test_malformed_parents_are_counted() -> None:
    """What is not believed can be found out about."""
    propagator = Propagator()
    propagator.extract_asgi([(b"traceparent", b"nonsense")])
    assert propagator.statistics.malformed_traceparents == 1
