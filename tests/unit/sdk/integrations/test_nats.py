"""nats-py against a real server."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from functools import partial

import nats
import nats.errors
import nats.js.api
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry.trace import SpanKind, StatusCode

from homeostat.integrations import nats as integration
from homeostat.propagation import Correlation, current
from tests.brokers import nats_url as nats_url  # noqa: PLC0414 - a fixture is asked for by its name here
from tests.messages import Observed, check_one_trace, context_of, in_request, observing, see

pytestmark = pytest.mark.xdist_group("nats")


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Install the integration."""
    with observing(integration) as found:
        yield found


@pytest.fixture
async def client(nats_url: str) -> AsyncIterator[Client]:
    """Give a connection."""
    connection = await nats.connect(nats_url, error_cb=_ignore)
    yield connection
    await connection.close()


async def _ignore(_error: Exception) -> None:
    """Say nothing about errors of handlers."""


async def test_a_handler_runs_inside_the_span_of_its_message(observed: Observed, client: Client) -> None:
    """With all that travels; what it sends has the message as its cause, whose name is the producer's span."""

    async def handle(message: Msg) -> None:
        observed.seen.append(see(message.data))

    with in_request(observed):
        await client.subscribe("orders.created", cb=handle)
        await client.publish("orders.created", b"payload", headers={"X-Mine": "kept"})
    await observed.handled()
    [seen] = observed.seen
    check_one_trace(observed, seen, system="nats", destination="orders.created")
    [producer] = observed.spans(SpanKind.PRODUCER)
    assert seen.values.message_id == f"{context_of(producer).span_id:016x}"
    assert (producer.attributes or {})["messaging.message.body.size"] == 7


async def test_headers_of_the_program_arrive(observed: Observed, client: Client) -> None:
    """Beside ours, which replace those of a message that is passed on."""
    subscription = await client.subscribe("passed")
    with in_request(observed) as request:
        await client.publish("passed", b"", headers={"X-Mine": "kept", "Traceparent": "stale"})
    message = await subscription.next_msg(timeout=10)
    headers = message.headers or {}
    assert headers["X-Mine"] == "kept"
    assert "Traceparent" not in headers
    assert headers["traceparent"].split("-")[1] == f"{request.trace_id:032x}"
    assert headers["baggage"] == "correlation.id=c-1,tenant.id=acme,user.id=u-1,cart=7"


async def test_a_loop_s_body_runs_inside_the_span_of_its_message(observed: Observed, client: Client) -> None:
    """Each message has its own; before the first, after the last and after a break there is none."""
    subscription = await client.subscribe("looped.*", "workers")
    for _ in range(3):
        with in_request(observed):
            await client.publish("looped.a", b"")
    count = 0
    async for _message in subscription.messages:
        observed.seen.append(see())
        count += 1
        if count == 2:
            break
    await observed.handled(2)
    assert current() == Correlation()
    consumers = observed.spans(SpanKind.CONSUMER)
    assert observed.ids(SpanKind.CONSUMER) == [seen.span.span_id for seen in observed.seen]
    assert len({seen.span.trace_id for seen in observed.seen}) == 2
    attributes = consumers[0].attributes or {}
    assert consumers[0].name == "process looped.*"
    assert attributes["messaging.destination.template"] == "looped.*"
    assert attributes["messaging.destination.name"] == "looped.a"
    assert attributes["messaging.consumer.group.name"] == "workers"
    await subscription.unsubscribe()
    assert len([message async for message in subscription.messages]) <= 1


async def test_a_handler_that_fails_marks_its_span(observed: Observed, client: Client) -> None:
    """And the next message is not affected."""

    async def handle(message: Msg) -> None:
        observed.seen.append(see())
        if message.data == b"bad":
            raise ValueError("bad")

    await client.subscribe("failing", cb=handle)
    await client.publish("failing", b"bad")
    await client.publish("failing", b"good")
    await observed.handled(2)
    assert [span.status.status_code for span in observed.spans(SpanKind.CONSUMER)] == [
        StatusCode.ERROR,
        StatusCode.UNSET,
    ]


async def test_a_request_and_its_answer(observed: Observed, client: Client) -> None:
    """The handler continues the caller's trace; the answer, which goes to an inbox, has no span of its own."""

    async def handle(message: Msg) -> None:
        observed.seen.append(see())
        await message.respond(b"answer")

    await client.subscribe("asked", cb=handle)
    with in_request(observed):
        answer = await client.request("asked", b"question", timeout=10)
    assert answer.data == b"answer"
    await observed.handled()
    check_one_trace(observed, observed.seen[0], system="nats", destination="asked")


async def test_jetstream_carries_the_same(observed: Observed, client: Client) -> None:
    """Through its own subscriptions, which acknowledge by themselves; its API and acknowledgements make no spans."""
    stream = client.jetstream()
    await stream.add_stream(name="stored", subjects=["stored.*"])

    async def handle(message: Msg) -> None:
        observed.seen.append(see())

    await stream.subscribe("stored.a", durable="worker", cb=handle)
    with in_request(observed):
        await stream.publish("stored.a", b"payload", headers={"Nats-Msg-Id": "n-1"})
    await observed.handled()
    [seen] = observed.seen
    check_one_trace(observed, seen, system="nats", destination="stored.a")
    assert seen.values.message_id == "n-1"


async def test_messages_that_are_fetched_are_handled_where_the_program_says(observed: Observed, client: Client) -> None:
    """One by one, or as a batch that links to where each of them came from."""
    stream = client.jetstream()
    await stream.add_stream(name="fetched", subjects=["fetched"])
    puller = await stream.pull_subscribe("fetched", durable="puller")
    with in_request(observed):
        await stream.publish("fetched", b"")
        await stream.publish("fetched", b"")
    messages = await puller.fetch(2, timeout=10)
    described = [integration.received(message) for message in messages]
    for message in described:
        with observed.messaging.processing(message):
            observed.seen.append(see())
    async with observed.messaging.processing_batch(described) as batch:
        together = see()
    producers = observed.ids(SpanKind.PRODUCER)
    consumers = observed.spans(SpanKind.CONSUMER)
    assert [span.parent.span_id for span in consumers[:2] if span.parent] == producers
    assert [link.context.span_id for link in batch.links] == producers  # type: ignore[attr-defined] # the SDK's
    assert batch.name == "process fetched"  # type: ignore[attr-defined] # the SDK's
    assert (consumers[2].attributes or {})["messaging.batch.message_count"] == 2
    assert together.values._replace(message_id=None) == observed.seen[0].values._replace(message_id=None)


async def test_a_key_value_bucket_makes_no_messages(observed: Observed, client: Client) -> None:
    """It is built on them, and the program does not see them."""
    bucket = await client.jetstream().create_key_value(config=nats.js.api.KeyValueConfig(bucket="settings"))
    await bucket.put("a", b"1")
    assert (await bucket.get("a")).value == b"1"
    watcher = await bucket.watchall()
    assert (await anext(watcher)).key == "a"
    await watcher.stop()  # type: ignore[no-untyped-call] # nats-py's
    assert observed.spans() == []


async def test_what_the_client_refuses_is_refused_as_ever(observed: Observed, client: Client) -> None:
    """A handler that is no coroutine function, and a message that is too large."""

    def handle(_message: Msg) -> None:
        """Be no coroutine function."""

    with pytest.raises(nats.errors.Error, match="coroutine"):
        await client.subscribe("refused", cb=handle)  # type: ignore[arg-type] # what the test is about
    with pytest.raises(nats.errors.MaxPayloadError):
        await client.publish("refused", b"x" * (client.max_payload + 1))


async def test_headers_stay_away_where_there_is_no_room(observed: Observed, client: Client) -> None:
    """The server counts them, and would close the connection."""
    subscription = await client.subscribe("full")
    for room, carries in ((64, False), (4096, True)):
        with in_request(observed):
            await client.publish("full", b"x" * (client.max_payload - room))
        message = await subscription.next_msg(timeout=10)
        assert ("traceparent" in (message.headers or {})) is carries
    client._server_info["headers"] = False
    with in_request(observed):
        await client.publish("full", b"x")
    assert (await subscription.next_msg(timeout=10)).headers is None


async def test_a_partial_is_a_handler(observed: Observed, client: Client) -> None:
    """nats-py takes it, too."""

    async def handle(_how: str, _message: Msg) -> None:
        observed.seen.append(see())

    await client.subscribe("partly", cb=partial(handle, "so"))
    with in_request(observed):
        await client.publish("partly", b"")
    await observed.handled()
    check_one_trace(observed, observed.seen[0], system="nats", destination="partly")


async def test_a_handler_outlives_the_integration(nats_url: str, client: Client) -> None:
    """It is still called, without a span; a second start finds nothing wrapped twice."""
    called = asyncio.Event()

    async def handle(_message: Msg) -> None:
        called.set()

    with observing(integration) as observed:
        await client.subscribe("outlived", cb=handle)
    original = Client.publish
    await client.publish("outlived", b"")
    await asyncio.wait_for(called.wait(), 30)
    assert observed.spans() == []
    with observing(integration):
        assert Client.publish is not original
    assert Client.publish is original
