import asyncio
import inspect
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import assert_type

import pytest
from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Link, SpanContext, SpanKind, StatusCode, TraceFlags

from homeostat.tracing.blocks import span, traced, traced_block
from homeostat.tracing.failures import FAILURES
from tests.recorded_spans import Recorder, attributes_of


def current_name() -> str:
    """Return the name of the current span."""
    return getattr(trace.get_current_span(), "name", "none")


def test_a_block_is_a_span(recorder: Recorder) -> None:
    """`span()` makes its span current in the block, with named attributes under their standard names."""
    with span("price", tenant="acme", user="u1", correlation_id="c1", items=3, none=None) as current:
        assert trace.get_current_span() is current
    ended = recorder.only()
    assert (ended.name, ended.kind) == ("price", SpanKind.INTERNAL)
    assert dict(ended.attributes or {}) == {"tenant.id": "acme", "user.id": "u1", "correlation.id": "c1", "items": 3}


def test_a_block_takes_any_name_kind_and_links(recorder: Recorder) -> None:
    """Attributes whose names are no Python words come as a mapping; named ones win over them."""
    link = Link(SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1)))
    with span("s", kind=SpanKind.CLIENT, attributes={"order.id": 5, "k": 1}, links=[link], k=2):
        pass
    ended = recorder.only()
    assert (ended.kind, attributes_of(ended)) == (SpanKind.CLIENT, {"order.id": 5, "k": 2})
    assert ended.links[0].context.span_id == 2


def test_an_exception_marks_the_span_and_goes_on(recorder: Recorder) -> None:
    """Event, `error.type` and status say what happened; the program sees its own exception."""
    with pytest.raises(ValueError, match="bad"), span("work"):
        raise ValueError("bad")
    ended = recorder.only()
    assert attributes_of(ended) == {"error.type": "ValueError"}
    assert (ended.status.status_code, ended.status.description) == (StatusCode.ERROR, "bad")
    assert (ended.events[0].attributes or {})["exception.message"] == "bad"


async def test_a_block_may_be_asynchronous(recorder: Recorder) -> None:
    """`async with span()` is the same."""
    async with span("work") as current:
        await asyncio.sleep(0)
        assert trace.get_current_span() is current
    assert recorder.names == ["work"]


async def test_a_cancelled_block_has_not_failed(recorder: Recorder) -> None:
    """A task that is cancelled ends its span without an error."""
    entered = asyncio.Event()

    async def work() -> None:
        with span("work"):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert recorder.only().status.status_code is StatusCode.UNSET


def test_a_block_without_configuration_runs() -> None:
    """Before anything is configured a block just runs, and its span records nothing."""
    with span("work") as current:
        assert not current.is_recording()


def test_a_span_is_invalid_until_its_block_begins() -> None:
    """What `span()` returns can be asked for its span at any time."""
    assert span("work").span is INVALID_SPAN


def test_blocks_nest(recorder: Recorder) -> None:
    """A block inside another is its child."""
    with span("outer") as outer, span("inner"):
        pass
    parent = recorder.named("inner").parent
    assert parent is not None
    assert parent.span_id == outer.get_span_context().span_id


def test_a_traced_function_keeps_its_value_and_name(recorder: Recorder) -> None:
    """`@traced` without parentheses names the span after the function, and the function stays itself."""

    @traced
    def price(order: int, *, rebate: float = 0.0) -> float:
        """Price."""
        return order - rebate

    assert_type(price(1, rebate=0.5), float)
    assert price(4, rebate=1.0) == 3.0
    assert (price.__name__, price.__doc__) == ("price", "Price.")
    assert list(inspect.signature(price).parameters) == ["order", "rebate"]
    assert recorder.names[0].endswith("price")
    assert str((recorder.ended[0].attributes or {})["code.function.name"]).endswith(".price")


def test_a_traced_function_may_have_a_name_and_attributes(recorder: Recorder) -> None:
    """With parentheses name, kind and attributes can be said."""

    @traced(name="n", kind=SpanKind.SERVER, attributes={"k": "v"})
    def work() -> int:
        return 1

    assert_type(work(), int)
    ended = recorder.only()
    assert (ended.name, ended.kind, (ended.attributes or {})["k"]) == ("n", SpanKind.SERVER, "v")


def test_named_arguments_become_attributes(recorder: Recorder) -> None:
    """Only the arguments that are named are recorded, with their defaults, and texts are bounded."""

    @traced(arguments=["order", "note", "many", "missing"])
    def price(order: int, secret: str, note: str = "x" * 300, many: object = None) -> None:
        """Do nothing."""

    price(5, "s3cret", many=[1, 2])
    assert attributes_of(recorder.only()) == {
        "code.function.name": (recorder.only().attributes or {})["code.function.name"],
        "order": 5,
        "note": "x" * 256,
        "many": "[1, 2]",
    }


def test_arguments_that_cannot_be_told_are_left_out(recorder: Recorder) -> None:
    """A value whose text fails, and a call that does not fit, are the program's affair, not the span's."""

    class Silent:
        def __str__(self) -> str:
            raise RuntimeError("no")

    @traced(arguments=["value"])
    def work(value: object) -> None:
        """Do nothing."""

    work(Silent())
    with pytest.raises(TypeError):
        work()  # type: ignore[call-arg]
    assert FAILURES.counts() == {"recording an argument of a traced function": 1}
    assert len(recorder.ended) == 2


def test_a_function_without_a_signature_is_traced_all_the_same(recorder: Recorder) -> None:
    """Built-in functions that do not tell their arguments can be traced, without any."""
    largest = traced(arguments=["x"])(max)
    assert largest([1, 3]) == 3
    assert FAILURES.counts() == {"reading the signature of a traced function": 1}
    assert len(recorder.ended) == 1


async def test_a_traced_coroutine_lasts_until_it_is_done(recorder: Recorder) -> None:
    """The span of a coroutine function covers its waiting, and the function stays a coroutine function."""

    @traced
    async def work(value: int) -> int:
        await asyncio.sleep(0)
        assert current_name().endswith("work")
        return value

    assert inspect.iscoroutinefunction(work)
    assert await work(3) == 3
    assert len(recorder.ended) == 1


async def test_a_traced_coroutine_that_fails_says_so(recorder: Recorder) -> None:
    """An exception of a coroutine marks its span."""

    @traced
    async def work() -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        await work()
    assert recorder.only().status.status_code is StatusCode.ERROR


def test_methods_of_all_kinds_can_be_traced(recorder: Recorder) -> None:
    """`@traced` goes around methods, and outside or inside of `staticmethod` and `classmethod`."""

    class Shop:
        @traced
        def plain(self) -> str:
            return "plain"

        @traced
        @staticmethod
        def static() -> str:
            return "static"

        @traced
        @classmethod
        def of_class(cls) -> str:
            return cls.__name__

    assert (Shop().plain(), Shop.static(), Shop.of_class()) == ("plain", "static", "Shop")
    assert [name.rpartition(".")[2] for name in recorder.names] == ["plain", "static", "of_class"]


def test_a_generators_span_is_current_only_while_it_runs(recorder: Recorder) -> None:
    """The consumer's own spans are no children of a generator that it reads."""

    @traced(name="numbers")
    def numbers() -> Iterator[str]:
        yield current_name()
        yield current_name()

    seen = [(inside, current_name()) for inside in numbers()]
    assert seen == [("numbers", "none"), ("numbers", "none")]
    assert recorder.names == ["numbers"]


def test_a_generator_can_be_talked_to(recorder: Recorder) -> None:
    """`send`, `throw` and the returned value pass through."""

    @traced(name="dialogue")
    def dialogue() -> Generator[str, str, str]:
        heard = yield "hello"
        try:
            yield heard
        except KeyError:
            yield "caught"
        return "bye"

    assert inspect.isgeneratorfunction(dialogue)
    talk = dialogue()
    assert next(talk) == "hello"
    assert talk.send("hi") == "hi"
    assert talk.throw(KeyError("k")) == "caught"
    with pytest.raises(StopIteration) as stop:
        next(talk)
    assert stop.value.value == "bye"
    assert recorder.only().status.status_code is StatusCode.UNSET


def test_a_generator_that_is_closed_has_not_failed(recorder: Recorder) -> None:
    """Closing runs the generator's own cleaning inside its span, and is no error."""
    cleaned = []

    @traced(name="numbers")
    def numbers() -> Iterator[int]:
        try:
            yield 1
        finally:
            cleaned.append(current_name())

    reading = numbers()
    next(reading)
    assert isinstance(reading, Generator)
    reading.close()
    assert cleaned == ["numbers"]
    assert recorder.only().status.status_code is StatusCode.UNSET


def test_a_generator_that_fails_says_so(recorder: Recorder) -> None:
    """An exception inside a generator marks its span."""

    @traced
    def numbers() -> Iterator[int]:
        yield 1
        raise KeyError("k")

    with pytest.raises(KeyError):
        list(numbers())
    assert recorder.only().status.status_code is StatusCode.ERROR


def test_a_generator_may_be_closed_in_another_thread(recorder: Recorder, caplog: pytest.LogCaptureFixture) -> None:
    """Where a generator ends does not matter, and nothing is logged about it."""

    @traced(name="numbers")
    def numbers() -> Generator[int]:
        yield 1
        yield 2

    reading = numbers()
    next(reading)
    thread = threading.Thread(target=reading.close)
    thread.start()
    thread.join()
    assert recorder.names == ["numbers"]
    assert caplog.records == []


async def test_an_asynchronous_generator_is_traced(recorder: Recorder) -> None:
    """Its span is current while it runs, also across its own waiting, and not in its consumer."""

    @traced(name="numbers")
    async def numbers() -> AsyncIterator[str]:
        for _ in range(2):
            await asyncio.sleep(0)
            yield current_name()

    assert inspect.isasyncgenfunction(numbers)
    assert [(inside, current_name()) async for inside in numbers()] == [("numbers", "none")] * 2
    assert recorder.names == ["numbers"]


async def test_an_asynchronous_generator_can_be_talked_to(recorder: Recorder) -> None:
    """`asend`, `athrow` and `aclose` pass through."""

    @traced(name="dialogue")
    async def dialogue() -> AsyncGenerator[str, str]:
        heard = yield "hello"
        try:
            yield heard
        except KeyError:
            yield "caught"

    talk = dialogue()
    assert await anext(talk) == "hello"
    assert await talk.asend("hi") == "hi"
    assert await talk.athrow(KeyError("k")) == "caught"
    await talk.aclose()
    assert recorder.only().status.status_code is StatusCode.UNSET


async def test_an_asynchronous_generator_that_fails_says_so(recorder: Recorder) -> None:
    """An exception inside it marks its span."""

    @traced
    async def numbers() -> AsyncIterator[int]:
        yield 1
        raise KeyError("k")

    with pytest.raises(KeyError):
        [number async for number in numbers()]
    assert recorder.only().status.status_code is StatusCode.ERROR


async def test_an_asynchronous_generator_may_be_closed_in_another_task(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """Where it ends does not matter, and nothing is logged about it."""

    @traced(name="numbers")
    async def numbers() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    reading = numbers()
    await anext(reading)
    await asyncio.create_task(reading.aclose())
    assert recorder.names == ["numbers"]
    assert caplog.records == []


def test_a_call_is_a_block(recorder: Recorder) -> None:
    """`traced_block` returns what the function returns, and passes arguments on."""
    assert_type(traced_block("sum", sum, [1, 2]), int)
    assert traced_block("sum", max, [1, 3], default=0) == 3
    assert recorder.names == ["sum", "sum"]


def test_a_call_that_fails_says_so(recorder: Recorder) -> None:
    """The exception of a called function marks the span and goes on."""
    with pytest.raises(ZeroDivisionError):
        traced_block("divide", lambda: 1 / 0)
    assert recorder.only().status.status_code is StatusCode.ERROR


async def test_a_call_of_a_coroutine_function_is_awaited(recorder: Recorder) -> None:
    """The span lasts until the coroutine is done, and is current inside of it."""

    async def work(value: int) -> tuple[int, str]:
        await asyncio.sleep(0)
        return value, current_name()

    pending = traced_block("work", work, 5)
    assert recorder.ended == []
    assert await pending == (5, "work")
    assert recorder.names == ["work"]


async def test_a_call_of_a_coroutine_function_that_fails_says_so(recorder: Recorder) -> None:
    """An exception of the coroutine marks the span."""

    async def work() -> None:
        raise KeyError("k")

    with pytest.raises(KeyError):
        await traced_block("work", work)
    assert recorder.only().status.status_code is StatusCode.ERROR


def test_a_block_decorates(recorder: Recorder) -> None:
    """What `span()` returns goes around functions as well, with a new span each time."""

    @span("work", k=1)
    def work() -> int:
        return 1

    assert (work(), work()) == (1, 1)
    assert recorder.names == ["work", "work"]
    assert attributes_of(recorder.ended[1]) == {"k": 1}


def test_attributes_that_are_none_cost_themselves(recorder: Recorder) -> None:
    """Something else in the place of attributes is counted; the block and the function run."""
    with span("work", attributes=5):  # type: ignore[arg-type]
        pass

    @traced(attributes=5)  # type: ignore[call-overload, untyped-decorator]
    def work() -> int:
        return 1

    assert work() == 1
    assert FAILURES.counts() == {"reading the attributes of a span": 2}
    assert len(recorder.ended) == 2
