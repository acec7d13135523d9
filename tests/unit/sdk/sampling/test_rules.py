import time

import pytest

from homeostat.sampling import RouteRule, parse_rules
from homeostat.sampling.rules import ANSWERS_MAX, NONE, SUBJECT_LENGTH_MAX, Matcher


def request(path: str, *, method: str = "GET", key: str = "url.path") -> dict[str, object]:
    """Return what a server span begins with."""
    return {"http.request.method": method, key: path}


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/orders", "/orders", True),
        ("/orders", "/orders/", False),
        ("/orders", "/ordersx", False),
        ("/orders/{id}", "/orders/17", True),
        ("/orders/{id}", "/orders/", False),
        ("/orders/{id}", "/orders/17/items", False),
        ("/orders/{id}/items", "/orders/17/items", True),
        ("/health*", "/health/live", True),
        ("/health*", "/health", True),
        ("*", "/health", False),
        ("/*", "/health", True),
        ("/a*b*c", "/a1b2c", True),
        ("/a*b*c", "/a1b2cd", False),
        ("/a*b*b", "/ab", False),
        ("/a.b", "/aXb", False),
        ("/a**z", "/a/y/z", True),
    ],
)
def test_a_pattern_takes_the_whole_path(pattern: str, path: str, *, matches: bool) -> None:
    """`{…}` is one segment, `*` is anything, all else is itself."""
    found = Matcher([RouteRule(pattern, 1.0)]).find("GET", request(path))
    assert (found == 0) is matches


def test_the_first_rule_that_matches_decides() -> None:
    """The order is the one in which they are written, methods included."""
    matcher = Matcher(parse_rules("POST /orders=1; /orders=0.5; /*=0"))
    assert matcher.find("POST", request("/orders", method="POST")) == 0
    assert matcher.find("GET", request("/orders")) == 1
    assert matcher.find("GET", request("/else")) == 2


def test_a_route_counts_before_a_path() -> None:
    """A framework that knows its route at the beginning says more than the path."""
    matcher = Matcher(parse_rules("/orders/{id}=1"))
    assert matcher.find("GET", request("/v1/orders/3", key="url.path") | {"http.route": "/orders/{order_id}"}) == 0


def test_a_rule_without_a_slash_is_about_names() -> None:
    """Consumers and jobs begin traces too; a request is never taken for one of them."""
    matcher = Matcher(parse_rules("nightly-*=1; /nightly-*=0"))
    assert matcher.find("nightly-report", None) == 0
    assert matcher.find("nightly-report", {"messaging.system": "nats"}) == 0
    assert matcher.find("nightly-report", request("/orders")) == NONE
    assert matcher.find("/nightly-report", None) == NONE


def test_a_request_without_a_method_matches_rules_for_any() -> None:
    """What is not known is not guessed."""
    matcher = Matcher(parse_rules("GET /a=1; /a=0"))
    assert matcher.find("a", {"url.path": "/a"}) == 1


def test_answers_are_remembered_within_a_bound() -> None:
    """Paths come from outside: their memory is finite, and long ones are not remembered."""
    matcher = Matcher(parse_rules("/orders/{id}=1"))
    for number in range(ANSWERS_MAX + 10):
        assert matcher.find("GET", request(f"/orders/{number}")) == 0
    assert len(matcher._answers) == 10
    matcher.find("GET", request("/orders/" + "1" * SUBJECT_LENGTH_MAX))
    assert len(matcher._answers) == 10


def test_a_hostile_path_costs_little() -> None:
    """Many stars against a long path that nearly matches take no more than a moment."""
    matcher = Matcher([RouteRule("/*a*a*a*a*a*a*a*a*{x}b", 1.0)])
    start_s = time.process_time()
    assert matcher.find("GET", request("/" + "a" * 10_000)) == NONE
    assert time.process_time() - start_s < 1.0
