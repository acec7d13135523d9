"""How an error is written on a span: event `exception`, attribute `error.type`, status with the message.

Sources: OpenTelemetry semantic conventions, "Recording errors" and "Exceptions on spans". `exception.escaped` is
deprecated there and is not written. The conventions move exceptions from span events to log records and let
`OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN` choose; without it, instrumentations go on with span events, and so does this.
"""

import traceback
from types import TracebackType
from typing import Final

from opentelemetry.trace import Span, StatusCode, get_current_span

from homeostat.tracing.failures import FAILURES

ERROR_TYPE: Final = "error.type"
EXCEPTION_EVENT: Final = "exception"
EXCEPTION_TYPE: Final = "exception.type"
EXCEPTION_MESSAGE: Final = "exception.message"
EXCEPTION_STACKTRACE: Final = "exception.stacktrace"

STACKTRACE_CHARACTERS_MAX: Final = 16_384
"""A recursion error is a thousand frames; what is cut is the middle, because both ends say something."""
MESSAGE_CHARACTERS_MAX: Final = 4_096
_CUT: Final = "\n  ... cut ...\n"


def error_type(error: BaseException | type[BaseException]) -> str:
    """Return the full name of an exception's class; built-in ones have no module before it."""
    kind = error if isinstance(error, type) else type(error)
    return (
        kind.__qualname__ if kind.__module__ in {"builtins", "__main__"} else f"{kind.__module__}.{kind.__qualname__}"
    )


def error_message(error: BaseException) -> str:
    """Return what an exception says, bounded; one that cannot say it is named by its type."""
    with FAILURES.contained("str() of an exception"):
        return str(error)[:MESSAGE_CHARACTERS_MAX]
    return error_type(error)


def stacktrace(error: BaseException) -> str:
    """Return the traceback as Python prints it, at most `STACKTRACE_CHARACTERS_MAX` characters, cut in the middle."""
    text = "".join(traceback.format_exception(error))
    if len(text) <= STACKTRACE_CHARACTERS_MAX:
        return text
    half = (STACKTRACE_CHARACTERS_MAX - len(_CUT)) // 2
    return text[:half] + _CUT + text[-half:]


def exception_attributes(error: BaseException) -> dict[str, str]:
    """Return the attributes of the event `exception`; what cannot be told is left out."""
    attributes = {EXCEPTION_TYPE: error_type(error), EXCEPTION_MESSAGE: error_message(error)}
    with FAILURES.contained("the traceback of an exception"):
        attributes[EXCEPTION_STACKTRACE] = stacktrace(error)
    return attributes


def record_error(error: BaseException | str, *, span: Span | None = None, message: str | None = None) -> None:
    """Mark the current span, or the given one, as failed.

    Args:
        error: an exception, which is also recorded as an event with its traceback; or a short name of the kind of
            failure ("card_declined") where there is none. Use few different names.
        span: the span; the current one if it is left out.
        message: what to say in the status instead of the exception's own words, for instance because those hold
            somebody's data.
    """
    with FAILURES.contained("record_error"):
        _record(span if span is not None else get_current_span(), error, message)


def _record(span: Span, error: BaseException | str, message: str | None) -> None:
    if isinstance(error, BaseException):
        span.record_exception(error)
        span.set_attribute(ERROR_TYPE, error_type(error))
        span.set_status(StatusCode.ERROR, error_message(error) if message is None else message)
        return
    span.set_attribute(ERROR_TYPE, str(error))
    span.set_status(StatusCode.ERROR, message)


Raised = tuple[type[BaseException] | None, BaseException | None, TracebackType | None]
"""What `__exit__` is given."""
