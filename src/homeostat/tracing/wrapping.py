"""A block around each call of a function, of whatever kind the function is.

A generator's span is current only while the generator itself runs, not while its consumer does; it ends when the
generator ends, is closed, or is collected.
"""

import functools
import inspect
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from typing import Any, Protocol, TypeVar, cast

from opentelemetry.trace import Span

AnyCallable = Callable[..., Any]
_Function = TypeVar("_Function", bound=AnyCallable)


class Block(Protocol):
    """What is opened, made current and closed around the code of a function."""

    def open(self) -> Span:
        """Begin."""
        ...

    def attach(self) -> None:
        """Become current."""

    def detach(self) -> None:
        """Return to what was current before."""

    def close(self, error: BaseException | None) -> None:
        """End, with the exception that ended the code, if any."""


Make = Callable[[tuple[Any, ...], Mapping[str, Any]], Block]
"""Makes the block of a call with these arguments."""


def wrapped(function: _Function, make: Make) -> _Function:
    """Return a function of the same kind and signature with a new block around each call."""
    inner = underlying(function)
    if inner is not function:
        return cast("_Function", cast("Any", type(function))(wrapped(inner, make)))
    plain = inspect.unwrap(function)
    if inspect.isasyncgenfunction(plain):
        around = _async_generator(function, make)
    elif inspect.isgeneratorfunction(plain):
        around = _generator(function, make)
    elif inspect.iscoroutinefunction(plain):
        around = _coroutine(function, make)
    else:
        around = _function(function, make)
    return cast("_Function", functools.update_wrapper(around, function))


def underlying(function: Any) -> AnyCallable:  # noqa: ANN401  # static and class methods are no callables for checkers
    """Return the function inside a static method or class method, and any other as it is."""
    inner: AnyCallable = function.__func__ if isinstance(function, staticmethod | classmethod) else function
    return inner


def _function(function: AnyCallable, make: Make) -> AnyCallable:
    def around(*args: object, **kwargs: object) -> object:
        block = make(args, kwargs)
        block.open()
        block.attach()
        failure: BaseException | None = None
        try:
            return function(*args, **kwargs)
        except BaseException as error:
            failure = error
            raise
        finally:
            block.detach()
            block.close(failure)
            del failure

    return around


def _coroutine(function: AnyCallable, make: Make) -> AnyCallable:
    async def around(*args: object, **kwargs: object) -> object:
        block = make(args, kwargs)
        block.open()
        block.attach()
        failure: BaseException | None = None
        try:
            return await function(*args, **kwargs)
        except BaseException as error:
            failure = error
            raise
        finally:
            block.detach()
            block.close(failure)
            del failure

    return around


def _generator(function: AnyCallable, make: Make) -> AnyCallable:
    def around(*args: object, **kwargs: object) -> Generator[object, object, object]:
        block = make(args, kwargs)
        block.open()
        inner: Generator[object, object, object] = function(*args, **kwargs)
        failure: BaseException | None = None
        step: Callable[[], object] = functools.partial(next, inner)
        try:
            while True:
                try:
                    value = _attached(block, step)
                except StopIteration as stop:
                    return stop.value
                try:
                    sent = yield value
                    step = functools.partial(inner.send, sent)
                except GeneratorExit:
                    _attached(block, inner.close)
                    raise
                except BaseException as thrown:  # noqa: BLE001, RUF100  # it is thrown into the generator, not kept
                    step = functools.partial(inner.throw, thrown)
        except BaseException as error:
            failure = error
            raise
        finally:
            block.close(failure)
            del failure

    return around


def _attached(block: Block, step: Callable[[], object]) -> object:
    block.attach()
    try:
        return step()
    finally:
        block.detach()


def _async_generator(function: AnyCallable, make: Make) -> AnyCallable:
    async def around(*args: object, **kwargs: object) -> AsyncGenerator[object, object]:
        block = make(args, kwargs)
        block.open()
        inner: AsyncGenerator[object, object] = function(*args, **kwargs)
        failure: BaseException | None = None
        step: Callable[[], Any] = inner.__anext__
        try:
            while True:
                try:
                    value = await _awaited(block, step)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                    step = functools.partial(inner.asend, sent)
                except GeneratorExit:
                    await _awaited(block, inner.aclose)
                    raise
                except BaseException as thrown:  # noqa: BLE001, RUF100  # it is thrown into the generator, not kept
                    step = functools.partial(inner.athrow, thrown)
        except BaseException as error:
            failure = error
            raise
        finally:
            block.close(failure)
            del failure

    return around


async def _awaited(block: Block, step: Callable[[], Any]) -> object:
    block.attach()
    try:
        return await step()
    finally:
        block.detach()
