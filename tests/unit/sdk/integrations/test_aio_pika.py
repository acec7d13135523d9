"""aio-pika against a real RabbitMQ."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage, AbstractRobustChannel
from opentelemetry.trace import SpanKind, StatusCode

from homeostat.integrations import aio_pika as integration
from homeostat.propagation import Correlation, current
from tests.brokers import amqp_url as amqp_url  # noqa: PLC0414 - a fixture is asked for by its name here
from tests.messages import Observed, check_one_trace, check_values, in_request, observing, see

pytestmark = pytest.mark.xdist_group("rabbitmq")


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Install the integration."""
    with observing(integration) as found:
        yield found


@pytest.fixture
async def channel(amqp_url: str) -> AsyncIterator[AbstractRobustChannel]:
    """Give a channel."""
    connection = await aio_pika.connect_robust(amqp_url)
    yield await connection.channel()
    await connection.close()


async def test_a_handler_runs_inside_the_span_of_its_message(
    observed: Observed, channel: AbstractRobustChannel
) -> None:
    """With all that travels; the program's message is as it was."""
    queue = await channel.declare_queue("handled", auto_delete=True)

    async def handle(message: AbstractIncomingMessage) -> None:
        async with message.process():
            observed.seen.append(see(dict(message.headers)))

    message = aio_pika.Message(b"payload", headers={"mine": 1}, message_id="a-1")
    with in_request(observed):
        await queue.consume(handle)
        await channel.default_exchange.publish(message, routing_key="handled")
    await observed.handled()
    [seen] = observed.seen
    check_one_trace(observed, seen, system="rabbitmq", destination="handled")
    assert seen.values.message_id == "a-1"
    assert isinstance(seen.payload, dict)
    assert seen.payload["mine"] == 1
    assert message.headers == {"mine": 1}
    attributes = observed.spans(SpanKind.CONSUMER)[0].attributes or {}
    assert attributes["messaging.message.id"] == "a-1"
    assert attributes["messaging.rabbitmq.destination.routing_key"] == "handled"
    assert attributes["messaging.rabbitmq.message.delivery_tag"] == 1


async def test_a_message_that_is_passed_on_belongs_to_whoever_does_so(
    observed: Observed, channel: AbstractRobustChannel
) -> None:
    """Its old headers do not stay, and it is as it was, though aio-pika locks it."""
    first = await channel.declare_queue("first", auto_delete=True)
    second = await channel.declare_queue("second", auto_delete=True)
    with in_request(observed):
        await channel.default_exchange.publish(aio_pika.Message(b"payload", headers={"mine": 1}), routing_key="first")
    incoming = await first.get(timeout=10, no_ack=True)
    assert incoming is not None
    before = dict(incoming.headers)
    await channel.default_exchange.publish(incoming, routing_key="second")
    passed = await second.get(timeout=10, no_ack=True)
    assert passed is not None
    assert incoming.headers == before
    assert passed.body == b"payload"
    assert passed.headers["mine"] == 1
    assert passed.headers["traceparent"] != before["traceparent"]


async def test_exchange_routing_key_and_queue_name_the_destination(
    observed: Observed, channel: AbstractRobustChannel
) -> None:
    """On the side of the producer there is no queue."""
    exchange = await channel.declare_exchange("events", auto_delete=True)
    queue = await channel.declare_queue("billing", auto_delete=True)
    await queue.bind(exchange, "order.created")

    async def handle(_message: AbstractIncomingMessage) -> None:
        """Take it."""

    await queue.consume(handle, no_ack=True)
    await exchange.publish(aio_pika.Message(b""), routing_key="order.created")
    await observed.handled()
    assert [span.name for span in observed.spans()] == [
        "publish events:order.created",
        "process events:order.created:billing",
    ]


async def test_a_loop_s_body_runs_inside_the_span_of_its_message(
    observed: Observed, channel: AbstractRobustChannel
) -> None:
    """And `process` inside of it makes no second one; after the loop nothing stays."""
    queue = await channel.declare_queue("looped", auto_delete=True)
    for _ in range(2):
        with in_request(observed):
            await channel.default_exchange.publish(aio_pika.Message(b""), routing_key="looped")
    async with queue.iterator() as messages:
        async for message in messages:
            async with message.process():
                observed.seen.append(see())
            if len(observed.seen) == 2:
                break
    await observed.handled(2)
    assert current() == Correlation()
    assert [seen.span.span_id for seen in observed.seen] == observed.ids(SpanKind.CONSUMER)
    for seen in observed.seen:
        check_values(seen)


async def test_a_message_that_was_got_is_handled_inside_process(
    observed: Observed, channel: AbstractRobustChannel
) -> None:
    """An exception marks the span, rejects the message and comes through."""
    queue = await channel.declare_queue("got", auto_delete=True)
    with in_request(observed):
        await channel.default_exchange.publish(aio_pika.Message(b""), routing_key="got")
    message = await queue.get(timeout=10)
    assert message is not None

    async def fail_inside(message: AbstractIncomingMessage) -> None:
        async with message.process():
            observed.seen.append(see())
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        await fail_inside(message)
    check_one_trace(observed, observed.seen[0], system="rabbitmq", destination="got")
    assert observed.spans(SpanKind.CONSUMER)[0].status.status_code is StatusCode.ERROR


async def test_a_handler_outlives_the_integration(channel: AbstractRobustChannel) -> None:
    """It is still called, without a span."""
    queue = await channel.declare_queue("outlived", auto_delete=True)
    called = asyncio.Event()

    async def handle(_message: AbstractIncomingMessage) -> None:
        called.set()

    with observing(integration) as observed:
        await queue.consume(handle, no_ack=True)
    await channel.default_exchange.publish(aio_pika.Message(b""), routing_key="outlived")
    await asyncio.wait_for(called.wait(), 30)
    assert observed.spans() == []
