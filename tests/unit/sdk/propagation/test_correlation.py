import re

import pytest
from opentelemetry import baggage
from opentelemetry.context import Context, get_current
from opentelemetry.propagate import get_global_textmap
from opentelemetry.propagators.textmap import Getter, Setter
from opentelemetry.trace import INVALID_SPAN, get_current_span, set_span_in_context

from homeostat.propagation import (
    Attached,
    Correlation,
    PropagationConfig,
    Propagator,
    Trust,
    bound,
    contained,
    correlation_in,
    current,
    detached,
    new_id,
    with_correlation,
)

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def request(propagator: Propagator | None = None, **headers: str) -> Correlation:
    """Return the values of a request with these headers, dashes written as underscores."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return current((propagator or Propagator()).extract_asgi(raw))


def test_outside_of_any_work_nothing_is_known() -> None:
    """Neither is anything made up."""
    assert current() == Correlation()
    assert correlation_in(Context()) is None


def test_values_are_bound_to_a_block() -> None:
    """Blocks nest, what is not named stays, None takes away, and afterwards everything is as before."""
    with bound(tenant="acme", user="u-1", correlation_id="c"):
        assert current() == Correlation(correlation_id="c", tenant="acme", user="u-1")
        with bound(user=None, message_id="m", causation_id="x"):
            assert current() == Correlation("c", "x", "m", "acme", None)
        assert current().user == "u-1"
        assert correlation_in(get_current()) == current()
    assert current() == Correlation()


def test_baggage_is_bound_to_a_block() -> None:
    """It is OpenTelemetry's own baggage, which other libraries read."""
    with bound(baggage={"cart": "1"}):
        assert baggage.get_baggage("cart") == "1"
    assert baggage.get_baggage("cart") is None


def test_a_block_that_fails_is_left_too() -> None:
    """And its exception comes through."""
    with pytest.raises(ValueError, match="mine"), bound(tenant="acme"):
        raise ValueError("mine")
    assert current().tenant is None


def test_everything_travels_from_one_process_to_the_next() -> None:
    """The id of what is handled here becomes the causation id there."""
    propagator = Propagator()
    with bound(tenant="ac me", user="ü", correlation_id="c", causation_id="before", message_id="m"):
        headers = propagator.headers()
    assert headers == {
        "x-correlation-id": "c",
        "x-causation-id": "m",
        "baggage": "correlation.id=c,tenant.id=ac%20me,user.id=%C3%BC",
    }
    arrived = current(propagator.extract_message(headers.items(), message_id="n"))
    assert arrived == Correlation("c", "m", "n", "ac me", "ü")


def test_without_a_message_the_cause_is_passed_on() -> None:
    """A task without an id of its own does not break the chain."""
    with bound(causation_id="before"):
        assert Propagator().headers()["x-causation-id"] == "before"


@pytest.mark.parametrize(
    ("switched_off", "missing"),
    [
        ({"correlation_leaves": False}, ("correlation.id", "x-correlation-id", "x-causation-id")),
        ({"tenant_leaves": False}, ("tenant.id",)),
        ({"user_leaves": False}, ("user.id",)),
        ({"correlation_leaves": False, "tenant_leaves": False, "user_leaves": False}, ("baggage",)),
    ],
)
def test_each_value_can_be_kept_in(switched_off: dict[str, bool], missing: tuple[str, ...]) -> None:
    """The rest still leaves."""
    propagator = Propagator(PropagationConfig(**switched_off))  # type: ignore[arg-type] # only the three switches
    with bound(tenant="acme", user="u", correlation_id="c", message_id="m"):
        written = str(propagator.headers())
    assert not any(f"{name}" in written for name in missing)


def test_own_values_win_over_members_of_the_same_name() -> None:
    """There is one tenant, whatever another library wrote into baggage."""
    propagator = Propagator(PropagationConfig(baggage_allowed=("*",)))
    with bound(tenant="acme", baggage={"tenant.id": "other"}):
        assert propagator.headers()["baggage"] == "tenant.id=acme"


def test_nothing_but_the_trace_leaves_where_work_is_contained() -> None:
    """For calls to somebody else."""
    propagator = Propagator(PropagationConfig(baggage_allowed=("*",)))
    with Attached(propagator.extract({"traceparent": PARENT}, Context())), bound(tenant="a", baggage={"b": "1"}):
        with contained():
            assert propagator.headers() == {"traceparent": PARENT}
        assert "baggage" in propagator.headers()


def test_an_id_is_made_where_none_came() -> None:
    """The first request of all has one id for everything; each request another."""
    first = request()
    assert re.fullmatch("[0-9a-f]{32}", first.correlation_id or "")
    assert first == Correlation(correlation_id=first.correlation_id, message_id=first.correlation_id)
    assert request().correlation_id != first.correlation_id
    assert len({new_id() for _ in range(100)}) == 100


def test_a_trace_is_the_correlation_where_nothing_else_is() -> None:
    """So that all services on its way make the same one; the caller's span names the request."""
    assert request(traceparent=PARENT) == Correlation(
        "0af7651916cd43dd8448eb211c80319c", None, "b7ad6b7169203331", None, None
    )


def test_headers_name_the_request() -> None:
    """A gateway's request id is what the request is known by."""
    found = request(traceparent=PARENT, x_correlation_id="c", x_request_id="r", x_causation_id="before")
    assert found == Correlation("c", "before", "r", None, None)
    assert request(x_request_id="r").correlation_id == "r"


def test_correlation_survives_a_hop_that_forwards_only_baggage() -> None:
    """As every plain OpenTelemetry service does; the header is believed first."""
    assert request(baggage="correlation.id=c,tenant.id=acme").correlation_id == "c"
    assert request(baggage="correlation.id=c", x_correlation_id="h").correlation_id == "h"


@pytest.mark.parametrize("bad", ["", "a b", "a,b", "ä", "x" * 129, "a\x00"])
def test_an_unbelievable_id_is_replaced(bad: str) -> None:
    """It would go into logs, headers and queries of everybody behind."""
    propagator = Propagator()
    assert request(propagator, x_correlation_id=bad).correlation_id not in {None, bad}
    assert propagator.statistics.refused_ids == 1


def test_two_correlation_ids_are_none() -> None:
    """Which of them is meant cannot be known."""
    found = current(Propagator().extract_asgi([(b"x-correlation-id", b"a"), (b"x-correlation-id", b"b")]))
    assert found.correlation_id not in {"a", "b", "a,b"}


def test_callers_may_be_believed_less() -> None:
    """Their trace alone, or nothing at all; messages of a broker are always believed."""
    headers = {"traceparent": PARENT, "baggage": "tenant.id=acme", "x-correlation-id": "c"}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    careful = Propagator(PropagationConfig(http_trust=Trust.TRACE))
    context = careful.extract_asgi(raw)
    assert get_current_span(context).get_span_context().is_valid
    assert current(context).tenant is None
    assert current(context).correlation_id == "0af7651916cd43dd8448eb211c80319c"
    strict = Propagator(PropagationConfig(http_trust=Trust.NOTHING))
    for context in (strict.extract_asgi(raw), strict.extract_http(headers.items())):
        assert get_current_span(context) is INVALID_SPAN
        assert current(context).tenant is None
        assert current(context).correlation_id != "c"
    assert current(strict.extract_message(headers.items())).tenant == "acme"


def test_a_wsgi_environment_says_the_same() -> None:
    """Servers write headers into it with their names changed."""
    environ = {"HTTP_TRACEPARENT": PARENT, "HTTP_X_CORRELATION_ID": "c", "HTTP_BAGGAGE": "user.id=u", "wsgi.input": 1}
    context = Propagator().extract_wsgi(environ)
    assert current(context) == Correlation("c", None, "b7ad6b7169203331", None, "u")
    assert get_current_span(context).get_span_context().is_valid
    assert current(Propagator().extract_wsgi({})).correlation_id


def test_message_headers_have_any_form_that_a_broker_gives() -> None:
    """Names in any case, bytes or text, values in lists; what is neither is ignored."""
    pairs: list[tuple[str | bytes, object]] = [
        (b"Traceparent", PARENT.encode()),
        ("TRACESTATE", ["foo=1", b"bar=2"]),
        ("X-Correlation-Id", "c"),
        ("baggage", 7),
        ("other", "x"),
    ]
    context = Propagator().extract_message(pairs)
    parent = get_current_span(context).get_span_context()
    assert dict(parent.trace_state) == {"foo": "1", "bar": "2"}
    assert current(context).correlation_id == "c"


class Pairs(Getter[list[tuple[str, str]]], Setter[list[tuple[str, str]]]):
    """A carrier that is a list of pairs."""

    def get(self, carrier: list[tuple[str, str]], key: str) -> list[str] | None:
        """Return all values of a key."""
        return [value for name, value in carrier if name == key] or None

    def keys(self, carrier: list[tuple[str, str]]) -> list[str]:
        """Return all keys."""
        return [name for name, _ in carrier]

    def set(self, carrier: list[tuple[str, str]], key: str, value: str) -> None:
        """Add a pair."""
        carrier.append((key, value))


def test_any_instrumentation_of_opentelemetry_can_use_it() -> None:
    """With carriers, getters and setters of its own; the names of the headers are announced."""
    propagator, carrier = Propagator(), [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")]
    context = propagator.extract(carrier, Context(), Pairs())
    written: list[tuple[str, str]] = []
    propagator.inject(written, context, Pairs())
    assert dict(written)["tracestate"] == "a=1,b=2"
    assert {name for name, _ in written} <= propagator.fields


def test_an_empty_carrier_leaves_a_correlation_alone() -> None:
    """Where there is none, the extraction is an entry and makes one."""
    propagator = Propagator()
    with bound(correlation_id="c"):
        assert current(propagator.extract({})).correlation_id == "c"
    assert current(propagator.extract({}, Context())).correlation_id


def test_a_span_that_is_none_is_not_written() -> None:
    """Nobody could continue it."""
    carrier: dict[str, str] = {}
    Propagator().inject(carrier, set_span_in_context(INVALID_SPAN, Context()))
    assert carrier == {}


def test_nothing_is_inherited_where_work_is_detached() -> None:
    """Not even the parent span."""
    with bound(tenant="acme"), detached():
        assert get_current() == Context()


def test_values_can_be_put_into_a_context_that_is_not_current() -> None:
    """For whoever makes contexts to run something in later."""
    assert current(with_correlation(Correlation(tenant="acme"), Context())).tenant == "acme"
    assert get_global_textmap() is not None
