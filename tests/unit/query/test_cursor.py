import json
from base64 import urlsafe_b64encode
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.cursor import CURSOR_LENGTH_MAX, ListRequest, NamePlace, parse_list_request

NOW_NS = 1_767_225_600 * 10**9


class Place(NamedTuple):
    """Hold a place of both types."""

    number: int
    name: str


def ask(cursor: str | None = None, *, asked: object = ("logs", "shop"), start: str | None = None) -> ListRequest[Place]:
    """Return a request as it is made at a fixed moment."""
    return parse_list_request(Place, start=start, end=None, cursor=cursor, asked=asked, now_ns=NOW_NS)


@given(st.integers(-(2**63), 2**64 - 1), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_cursor_brings_back_its_place_and_the_first_window(number: int, name: str) -> None:
    """Also when it is sent later, with a default window that has moved on."""
    first = ask()
    cursor = first.cursor(Place(number, name))
    later = parse_list_request(
        Place, start=None, end=None, cursor=cursor, asked=("logs", "shop"), now_ns=NOW_NS + 10**12
    )
    assert later == ListRequest(question=first.question, window=first.window, after=Place(number, name))


def test_the_last_page_has_no_cursor() -> None:
    """No place, no cursor."""
    assert ask().cursor(None) is None


@pytest.mark.parametrize(
    "change", [{"asked": ("logs", "cart")}, {"asked": ("traces", "shop")}, {"start": "1767225000"}]
)
def test_a_cursor_of_another_list_is_refused(change: dict[str, str]) -> None:
    """Going on with other conditions would give neither list."""
    cursor = ask().cursor(Place(1, "a"))
    with pytest.raises(InvalidRequest, match=r"another list.*Repeat all parameters"):
        ask(cursor, **change)


def encoded(content: object) -> str:
    """Return a text that looks like a cursor."""
    return urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


GOOD = [ask().question, 0, 10**9, 1, "a"]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "ä",
        "A",
        "AAAA",
        "A" * (CURSOR_LENGTH_MAX + 1),
        encoded({}),
        encoded(GOOD[:-1]),
        encoded([*GOOD, 1]),
        encoded([*GOOD[:-1], 5]),
        encoded([*GOOD[:3], True, "a"]),
        encoded([*GOOD[:3], 1.5, "a"]),
        encoded([*GOOD[:3], 2**64, "a"]),
        encoded([*GOOD[:3], -(2**63) - 1, "a"]),
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    """Whatever a caller makes up, the answer is a clear 400."""
    with pytest.raises(InvalidRequest, match="read the cursor"):
        ask(cursor)


def test_a_made_up_window_is_refused() -> None:
    """The window in a cursor obeys the same bounds as any other."""
    with pytest.raises(InvalidRequest, match="window of time"):
        ask(encoded([GOOD[0], 0, 10**18, 1, "a"]))


def test_a_place_may_be_a_name_alone() -> None:
    """Lists by name have the simplest place."""
    request = parse_list_request(NamePlace, start=None, end=None, cursor=None, asked="x", now_ns=NOW_NS)
    again = parse_list_request(
        NamePlace, start=None, end=None, cursor=request.cursor(NamePlace("")), asked="x", now_ns=0
    )
    assert again.after == NamePlace("")
