import socket

from opentelemetry.trace import INVALID_SPAN, StatusCode

from homeostat.tracing.blocks import span
from homeostat.tracing.errors import (
    MESSAGE_CHARACTERS_MAX,
    STACKTRACE_CHARACTERS_MAX,
    error_message,
    error_type,
    exception_attributes,
    record_error,
    stacktrace,
)
from homeostat.tracing.failures import FAILURES
from tests.recorded_spans import Recorder


class Speechless(Exception):
    """An exception that cannot say anything."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("no words")


class Broken:
    """Something in the place of a span that fails at everything."""

    def __getattr__(self, name: str) -> object:
        """Fail."""
        raise RuntimeError(name)


def test_a_handled_exception_is_recorded_on_the_current_span(recorder: Recorder) -> None:
    """`record_error` adds the event, `error.type` and the status to the span that is current."""
    with span("work"):
        try:
            socket.create_connection(("127.0.0.1", 0))
        except OSError as error:
            record_error(error, message="gone")
    ended = recorder.only()
    assert (ended.attributes or {})["error.type"] == "ConnectionRefusedError"
    assert (ended.status.status_code, ended.status.description) == (StatusCode.ERROR, "gone")
    assert "test_errors" in str((ended.events[0].attributes or {})["exception.stacktrace"])


def test_an_error_may_have_no_exception(recorder: Recorder) -> None:
    """A kind of failure can be named, on a given span, with words of one's own."""
    with span("work") as current:
        record_error("card_declined", span=current, message="the bank said no")
    ended = recorder.only()
    assert (ended.attributes or {})["error.type"] == "card_declined"
    assert ended.status.description == "the bank said no"
    assert ended.events == ()


def test_words_of_ones_own_replace_the_exceptions(recorder: Recorder) -> None:
    """A message keeps somebody's data out of the status."""
    with span("work"):
        record_error(ValueError("4111 1111 1111 1111"), message="card refused")
    assert recorder.only().status.description == "card refused"


def test_recording_an_error_never_raises() -> None:
    """A span that fails at everything costs a count and nothing else; no span costs nothing."""
    record_error(ValueError("x"), span=Broken())  # type: ignore[arg-type]
    record_error(ValueError("x"), span=INVALID_SPAN)
    assert FAILURES.counts() == {"record_error": 1}


def test_a_type_has_its_module() -> None:
    """Types of built-in exceptions are bare; others have their module before them."""
    assert error_type(ValueError) == "ValueError"
    assert error_type(Speechless()).endswith("test_errors.Speechless")


def test_a_speechless_exception_is_named() -> None:
    """An exception whose text fails is described by its type."""
    assert error_message(Speechless()).endswith("Speechless")
    assert exception_attributes(Speechless())["exception.type"].endswith("Speechless")


def test_long_words_are_cut() -> None:
    """Messages have a bound."""
    assert len(error_message(ValueError("x" * 100_000))) == MESSAGE_CHARACTERS_MAX


def test_a_long_traceback_keeps_both_ends() -> None:
    """Of a traceback that is too long the middle is cut: where it began and what it was stay."""
    text = stacktrace(ValueError("x" * 2 * STACKTRACE_CHARACTERS_MAX + "the end"))
    assert len(text) <= STACKTRACE_CHARACTERS_MAX
    assert text.startswith("ValueError")
    assert "... cut ..." in text
    assert "the end" in text[-20:]
