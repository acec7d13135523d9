import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat.tracing.queries import QUERY_CHARACTERS_MAX, visible_query, visible_url


@pytest.mark.parametrize(
    ("query", "visible"),
    [
        ("", ""),
        ("a=1&b=2", "a=1&b=2"),
        ("a=1&token=abc&b=2", "a=1&token=REDACTED&b=2"),
        (
            "X-Amz-Signature=abc&X-Goog-Signature=d&sig=e",
            "X-Amz-Signature=REDACTED&X-Goog-Signature=REDACTED&sig=REDACTED",
        ),
        ("pass%77ord=abc", "pass%77ord=REDACTED"),
        ("token=&flag&token", "token=&flag&token"),
        ("next=token", "next=token"),
    ],
)
def test_secret_values_are_hidden_and_names_stay(query: str, visible: str) -> None:
    """Values of parameters that are known to be secret are replaced, however their names are written."""
    assert visible_query(query) == visible


def test_a_query_has_a_bound() -> None:
    """A caller that sends a long query does not fill a span."""
    assert len(visible_query("a" * 100_000)) == QUERY_CHARACTERS_MAX


@pytest.mark.parametrize(
    ("url", "visible"),
    [
        ("https://example.com/a?b=c", "https://example.com/a?b=c"),
        ("https://user:pass@example.com:8443/a#part", "https://REDACTED:REDACTED@example.com:8443/a"),
        ("https://example.com/?api_key=k", "https://example.com/?api_key=REDACTED"),
        ("http://[broken", "http://[broken"),
    ],
)
def test_a_url_shows_no_credentials(url: str, visible: str) -> None:
    """User, password and secret parameters of an address are hidden, and its fragment is none of the server's."""
    assert visible_url(url) == visible


@given(st.dictionaries(st.sampled_from(["a", "b", "token", "password"]), st.text("xyz", min_size=1, max_size=5)))
def test_no_secret_survives(pairs: dict[str, str]) -> None:
    """Whatever the query, no value of a secret parameter is left, and every other pair is as it was."""
    visible = visible_query("&".join(f"{name}={value}" for name, value in pairs.items()))
    expected = {name: value if name in {"a", "b"} else "REDACTED" for name, value in pairs.items()}
    assert visible == "&".join(f"{name}={value}" for name, value in expected.items())
