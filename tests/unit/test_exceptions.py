import inspect

import pytest

import homeostat_server.exceptions as tree
from homeostat_server.exceptions import CapacityError, HomeostatError, InvalidRequest, SpoolFull, TooManyRequests

ERRORS = [error for _, error in inspect.getmembers(tree, inspect.isclass) if issubclass(error, HomeostatError)]


def test_an_error_says_what_was_attempted_with_which_value_and_what_to_do() -> None:
    """The text of an error carries all three."""
    assert str(InvalidRequest("decode the body", value="{", hint="Send JSON.")) == "decode the body: { (Send JSON.)"


def test_an_error_without_value_and_hint_is_only_what_was_attempted() -> None:
    """Nothing is invented where nothing is known."""
    assert str(InvalidRequest("decode the body")) == "decode the body"


def test_a_value_that_is_not_text_is_shown_as_python_writes_it() -> None:
    """Numbers and bytes are told apart from text."""
    assert InvalidRequest("use a limit", value=-1).shown_value() == "-1"


def test_a_long_value_is_cut() -> None:
    """An error never repeats a body of megabytes."""
    shown = InvalidRequest("decode", value="x" * 10_000).shown_value()
    assert shown == "x" * tree.SHOWN_VALUE_LENGTH_MAX + "…"


@pytest.mark.parametrize("error", ERRORS)
def test_the_tree_in_the_docstring_names_every_error_with_its_code_and_status(error: type[HomeostatError]) -> None:
    """The drawing is the tree."""
    drawing = tree.__doc__ or ""
    line = next((line for line in drawing.splitlines() if f" {error.__name__} " in f" {line} "), "")
    assert line, f"{error.__name__} is not drawn"
    if "code" in vars(error):
        assert error.code in line
        assert str(error.status) in line


def test_codes_are_unique() -> None:
    """A code names one error."""
    codes = [vars(error)["code"] for error in ERRORS if "code" in vars(error)]
    assert len(codes) == len(set(codes))


def test_only_errors_of_capacity_ask_for_a_retry() -> None:
    """OTLP clients retry 429 and 503, so exactly those are retryable."""
    retryable = {error for error in ERRORS if error.retryable}
    assert retryable == {error for error in ERRORS if issubclass(error, CapacityError)}
    assert {error.status for error in retryable} == {429, 503}


def test_an_error_of_capacity_says_when_to_come_back() -> None:
    """The seconds of Retry-After travel with the error."""
    assert SpoolFull("append", retry_after_s=7).retry_after_s == 7
    assert TooManyRequests("ask").retry_after_s == tree.DEFAULT_RETRY_AFTER_S
