from hypothesis import given
from hypothesis import strategies as st

from homeostat.redaction import Redactor

REDACTOR = Redactor()
PIECES = ("Bearer ", "eyJ", "sk-", "token=", "://", "4111", "PRIVATE ", *"abcZ019 :/@?&=._-+\n\"'")
ALPHABET = st.sampled_from(PIECES)
TEXTS = st.lists(ALPHABET, max_size=60).map("".join) | st.text(max_size=100)


@given(TEXTS)
def test_hiding_twice_hides_no_more(text: str) -> None:
    """What was redacted once, on its way through another process, stays readable."""
    once = REDACTOR.text(text)
    assert REDACTOR.text(once) == once


@given(TEXTS, st.from_regex(r"[A-Za-z0-9]{12,30}", fullmatch=True))
def test_a_parameter_is_hidden_wherever_it_stands(around: str, secret: str) -> None:
    """Behind whatever text, up to the next separator."""
    assert secret not in REDACTOR.text(f"{around} password={secret}").removeprefix(around)
