"""Spans around code: `span()` for a block, `@traced` for a function, `traced_block()` for one call.

None of them raises into the program or changes what the code returns or raises.
"""

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, ParamSpec, TypeVar, overload

from opentelemetry.trace import Link, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.failures import FAILURES
from homeostat.tracing.own import HELPERS
from homeostat.tracing.tracer import CORRELATION_ID, TENANT, USER
from homeostat.tracing.wrapping import AnyCallable, underlying, wrapped

FUNCTION_NAME: Final = "code.function.name"
ARGUMENT_CHARACTERS_MAX: Final = 256
"""What is recorded of one argument of a function that is no number."""

STANDARD_NAMES: Final = {"tenant": TENANT, "user": USER, "correlation_id": CORRELATION_ID}
"""Short names that `span()` takes for attributes that all standardised spans have."""

_Function = TypeVar("_Function", bound=AnyCallable)
_P = ParamSpec("_P")
_R = TypeVar("_R")


def span(
    name: str,
    /,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AnyValue] | None = None,
    links: Sequence[Link] = (),
    **named: AnyValue,
) -> ActiveSpan:
    """Return a span for a `with` or `async with` block, or for a function that is decorated with it.

    Args:
        name: what is done, in few different words: "price", not "price of order 4711".
        kind: the side of a call that it is; internal if left out.
        attributes: attributes with any name.
        links: spans that it comes from without being their child, such as the messages of a batch.
        named: attributes by name. `tenant`, `user` and `correlation_id` become `tenant.id`, `user.id` and
            `correlation.id`; one that is None is left out.

    Example:
        >>> with span("price", tenant="acme", items=3) as current:
        ...     current.set_attribute("total", 42.0)
    """
    if attributes is not None:
        with FAILURES.contained("reading the attributes of a span"):
            named = {**attributes, **named}
    if not STANDARD_NAMES.keys().isdisjoint(named):
        named = {STANDARD_NAMES.get(key, key): value for key, value in named.items()}
    active = ActiveSpan(HELPERS.current(), name, kind, named)
    if links:
        active.links = links
    return active


@overload
def traced(function: _Function, /) -> _Function: ...


@overload
def traced(
    *,
    name: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AnyValue] | None = None,
    arguments: Sequence[str] = (),
) -> Callable[[_Function], _Function]: ...


def traced(
    function: _Function | None = None,
    /,
    *,
    name: str | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AnyValue] | None = None,
    arguments: Sequence[str] = (),
) -> _Function | Callable[[_Function], _Function]:
    """Make a span around each call of a function, coroutine function, generator or asynchronous generator.

    The signature stays as it is. The span of a generator lasts from its first step to its end.

    Args:
        function: what is decorated, when `@traced` has no parentheses.
        name: of the span; the function's qualified name if left out.
        kind: the side of a call that it is; internal if left out.
        attributes: attributes that every call has.
        arguments: names of arguments whose values become attributes; none by default, because arguments hold people's
            data. What is no number is written as text, at most `ARGUMENT_CHARACTERS_MAX` characters.

    Example:
        >>> @traced(arguments=["order"])
        ... def price(order: int, card: str) -> float:
        ...     return 42.0
    """

    def decorate(target: _Function) -> _Function:
        return _traced(target, name=name, kind=kind, attributes=attributes or {}, arguments=tuple(arguments))

    return decorate if function is None else decorate(function)


def _traced(
    target: _Function,
    *,
    name: str | None,
    kind: SpanKind,
    attributes: Mapping[str, AnyValue],
    arguments: tuple[str, ...],
) -> _Function:
    plain = inspect.unwrap(underlying(target))
    qualified = getattr(plain, "__qualname__", type(plain).__qualname__)
    module = getattr(plain, "__module__", "")
    fixed: dict[str, AnyValue] = {FUNCTION_NAME: f"{module}.{qualified}"}
    with FAILURES.contained("reading the attributes of a span"):
        fixed.update(attributes)
    title = name or qualified
    recorder = _ArgumentRecorder(plain, arguments) if arguments else None

    def make(args: tuple[object, ...], kwargs: Mapping[str, object]) -> ActiveSpan:
        said = fixed if recorder is None else {**fixed, **recorder.recorded(args, kwargs)}
        return ActiveSpan(HELPERS.current(), title, kind, said)

    return wrapped(target, make)


class _ArgumentRecorder:
    """Read named arguments from calls of a function."""

    def __init__(self, function: AnyCallable, names: tuple[str, ...]) -> None:
        self._names = names
        self._signature: inspect.Signature | None = None
        try:
            self._signature = inspect.signature(function)
        except (TypeError, ValueError) as error:
            FAILURES.caught("reading the signature of a traced function", error)

    def recorded(self, args: tuple[object, ...], kwargs: Mapping[str, object]) -> dict[str, AnyValue]:
        """Return the named arguments of one call; those that cannot be told are left out."""
        if self._signature is None:
            return {}
        with FAILURES.contained("recording an argument of a traced function"):
            bound = self._signature.bind_partial(*args, **kwargs)
            bound.apply_defaults()
            return {name: _told(bound.arguments[name]) for name in self._names if name in bound.arguments}
        return {}


def _told(value: object) -> AnyValue:
    if isinstance(value, bool | int | float):
        return value
    return str(value)[:ARGUMENT_CHARACTERS_MAX]


@overload
def traced_block(
    name: str, function: Callable[_P, Coroutine[Any, Any, _R]], /, *args: _P.args, **kwargs: _P.kwargs
) -> Coroutine[Any, Any, _R]: ...


@overload
def traced_block(name: str, function: Callable[_P, _R], /, *args: _P.args, **kwargs: _P.kwargs) -> _R: ...


def traced_block(name: str, function: Callable[_P, Any], /, *args: _P.args, **kwargs: _P.kwargs) -> object:
    """Call a function inside a span and return its value.

    Args:
        name: of the span.
        function: what is called. If it returns a coroutine, so does this, and the span lasts until that is awaited.
        args: positional arguments of the function.
        kwargs: its named ones.

    Example:
        >>> traced_block("sum", sum, [1, 2, 3])
        6
    """
    block = span(name)
    block.open()
    block.attach()
    failure: BaseException | None = None
    value: object = None
    try:
        value = function(*args, **kwargs)
    except BaseException as error:
        failure = error
        raise
    finally:
        block.detach()
        if not inspect.iscoroutine(value):
            block.close(failure)
        del failure
    return _finished(block, value) if inspect.iscoroutine(value) else value


async def _finished(block: ActiveSpan, value: Coroutine[Any, Any, _R]) -> _R:
    block.attach()
    failure: BaseException | None = None
    try:
        return await value
    except BaseException as error:
        failure = error
        raise
    finally:
        block.detach()
        block.close(failure)
        del failure
