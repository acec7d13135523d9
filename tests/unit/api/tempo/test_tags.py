import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.api.tempo.tags import parse_logfmt, traceql_of_tags
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.traceql.checking import parse


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("", {}),
        ("a=b", {"a": "b"}),
        ('  a=b   http.url="GET /"  ', {"a": "b", "http.url": "GET /"}),
        (r'a="say \"no\"" b=', {"a": 'say "no"', "b": ""}),
        ("alone", {"alone": ""}),
    ],
)
def test_pairs_are_read_from_logfmt(text: str, tags: dict[str, str]) -> None:
    """Words, texts in quotation marks, and keys without a value."""
    assert parse_logfmt(text) == tags


@pytest.mark.parametrize("text", ["a=b a=c", "=b", 'a="b', 'a="b"c', " ".join(f"k{number}=1" for number in range(40))])
def test_what_is_no_logfmt_is_refused(text: str) -> None:
    """With Tempo's beginning of a message."""
    with pytest.raises(InvalidRequest, match="invalid tags: "):
        parse_logfmt(text)


KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(
    re.compile(r'[^\s="]+').fullmatch
)
VALUES = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(deadline=None)  # the first query builds the parser
@given(st.dictionaries(KEYS, VALUES, max_size=3), st.none() | st.integers(0, 10**12))
def test_tags_are_always_a_query(tags: dict[str, str], duration_ns: int | None) -> None:
    """Whatever is in keys and values, it is said in TraceQL as text."""
    parse(traceql_of_tags(tags, duration_min_ns=duration_ns, duration_max_ns=None))


def test_tags_of_old_have_their_fields() -> None:
    """Names of services and roots, and errors, are not attributes."""
    assert traceql_of_tags({"error": "true"}, duration_min_ns=None, duration_max_ns=None) == "{ status = error }"
    assert traceql_of_tags({"status.code": "ok"}, duration_min_ns=None, duration_max_ns=None) == "{ status = ok }"
    assert (
        traceql_of_tags({"root.name": "GET /"}, duration_min_ns=5_000_000, duration_max_ns=10**9)
        == '{ trace:rootName =~ "(?i).*GET /.*" } && { trace:duration >= 5ms } && { trace:duration <= 1000ms }'
    )
