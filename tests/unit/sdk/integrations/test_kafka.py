"""Both clients of Kafka against the double of a cluster that librdkafka has built in; Debian has no real one."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import aiokafka
import confluent_kafka
import pytest
from aiokafka.errors import ConsumerStoppedError
from confluent_kafka.serialization import StringSerializer
from opentelemetry.trace import SpanKind

from homeostat.integrations import aiokafka as asynchronous
from homeostat.integrations import confluent_kafka as threaded
from homeostat.integrations.kafka import described
from homeostat.propagation import Correlation, current
from tests.brokers import kafka_address as kafka_address  # noqa: PLC0414 - a fixture is asked for by its name here
from tests.messages import Observed, check_one_trace, check_values, in_request, observing, see

pytestmark = pytest.mark.xdist_group("kafka")


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Install both integrations."""
    with observing(asynchronous, threaded) as found:
        yield found


@pytest.fixture
async def producer(kafka_address: str) -> AsyncIterator[aiokafka.AIOKafkaProducer]:
    """Give a producer of aiokafka."""
    started = aiokafka.AIOKafkaProducer(bootstrap_servers=kafka_address)
    await started.start()
    yield started
    await started.stop()


def reader(address: str, *topics: str) -> aiokafka.AIOKafkaConsumer:
    """Return a consumer of aiokafka that reads from the beginning."""
    return aiokafka.AIOKafkaConsumer(*topics, bootstrap_servers=address, auto_offset_reset="earliest")


def polled(address: str, topic: str, count: int = 1) -> list[confluent_kafka.Message]:
    """Return records as confluent-kafka gives them."""
    consumer = confluent_kafka.Consumer(
        {"bootstrap.servers": address, "group.id": uuid4().hex, "auto.offset.reset": "earliest", "log_level": 3}
    )
    consumer.subscribe([topic])
    found: list[confluent_kafka.Message] = []
    try:
        while len(found) < count:
            record = consumer.poll(30)
            assert record is not None
            if record.error() is None:
                found.append(record)
    finally:
        consumer.close()
    return found


async def test_a_loop_s_body_runs_inside_the_span_of_its_record(
    observed: Observed, producer: aiokafka.AIOKafkaProducer, kafka_address: str
) -> None:
    """With all that travels; after a break nothing stays."""
    with in_request(observed):
        await producer.send_and_wait("looped", b"payload", key=b"k", headers=[("mine", b"1"), ("Traceparent", b"old")])
    consumer = reader(kafka_address, "looped")
    async with consumer:
        async for record in consumer:
            observed.seen.append(see(dict(record.headers)))
            break
    [span] = await observed.handled()
    assert current() == Correlation()
    [seen] = observed.seen
    check_one_trace(observed, seen, system="kafka", destination="looped")
    assert isinstance(seen.payload, dict)
    assert seen.payload["mine"] == b"1"
    assert "Traceparent" not in seen.payload
    attributes = span.attributes or {}
    assert attributes["messaging.kafka.message.key"] == "k"
    assert attributes["messaging.kafka.offset"] == 0
    assert attributes["messaging.message.body.size"] == 7


async def test_a_loop_ends_with_its_consumer(
    observed: Observed, producer: aiokafka.AIOKafkaProducer, kafka_address: str
) -> None:
    """As it does without the SDK; the last record's span has ended by then."""
    await producer.send_and_wait("ended", b"payload")
    consumer = reader(kafka_address, "ended")
    await consumer.start()
    async for _record in consumer:
        await consumer.stop()
    assert current() == Correlation()
    assert len(observed.spans(SpanKind.CONSUMER)) == 1
    with pytest.raises(ConsumerStoppedError):
        await anext(aiter(consumer))


async def test_records_that_are_got_are_handled_where_the_program_says(
    observed: Observed, producer: aiokafka.AIOKafkaProducer, kafka_address: str
) -> None:
    """One by one, or as a batch that links to where each of them came from."""
    for _ in range(2):
        with in_request(observed):
            await producer.send_and_wait("got", b"payload")
    async with reader(kafka_address, "got") as consumer:
        records = [await consumer.getone(), await consumer.getone()]
    messages = [asynchronous.received(record, "workers") for record in records]
    with observed.messaging.processing(messages[0]):
        check_values(see())
    with observed.messaging.processing_batch(messages):
        seen = see()
    single, batch = observed.spans(SpanKind.CONSUMER)
    assert (single.attributes or {})["messaging.consumer.group.name"] == "workers"
    assert {link.context.span_id for link in batch.links} == set(observed.ids(SpanKind.PRODUCER))
    assert (seen.values.correlation_id, seen.values.tenant) == ("c-1", "acme")
    assert batch.parent is None


@pytest.mark.usefixtures("kafka_address")
def test_records_of_confluent_kafka_carry_the_same(observed: Observed, kafka_address: str) -> None:
    """Between the two clients, too; a name imported later is that of the producer that carries."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka_address, "log_level": 3})
    with in_request(observed):
        producer.produce("threaded", b"payload", "k", headers={"mine": b"1"})
    producer.flush(30)
    [record] = polled(kafka_address, "threaded")
    with observed.messaging.processing(threaded.received(record, "workers")):
        seen = see(dict(record.headers() or []))
    check_one_trace(observed, seen, system="kafka", destination="threaded")
    assert isinstance(seen.payload, dict)
    assert seen.payload["mine"] == b"1"
    assert seen.payload["x-correlation-id"] == b"c-1"


def test_the_serialising_producer_carries_once(observed: Observed, kafka_address: str) -> None:
    """It stands on the other one, and is written in Python."""
    producer = confluent_kafka.SerializingProducer(
        {"bootstrap.servers": kafka_address, "value.serializer": StringSerializer(), "log_level": 3}
    )
    with in_request(observed):
        producer.produce("serialised", b"key", "text")
    producer.flush(30)
    [record] = polled(kafka_address, "serialised")
    assert (record.key(), record.value()) == (b"key", b"text")
    with observed.messaging.processing(threaded.received(record)):
        seen = see()
    check_one_trace(observed, seen, system="kafka", destination="serialised")


def test_headers_by_position_are_left_alone(observed: Observed, kafka_address: str) -> None:
    """Where they are depends on the client's version; the record is sent without ours."""
    producer = confluent_kafka.Producer({"bootstrap.servers": kafka_address, "log_level": 3})
    producer.produce("placed", b"", None, -1, None, None, 0, [("mine", b"1")])
    producer.flush(30)
    [record] = polled(kafka_address, "placed")
    assert record.headers() == [("mine", b"1")]
    assert len(observed.spans(SpanKind.PRODUCER)) == 1


def test_confluent_kafka_is_as_before_afterwards(kafka_address: str) -> None:
    """A producer made in between goes on without spans."""
    plain = confluent_kafka.Producer
    with observing(threaded) as observed:
        assert issubclass(confluent_kafka.Producer, plain)
        producer = confluent_kafka.Producer({"bootstrap.servers": kafka_address, "log_level": 3})
    assert confluent_kafka.Producer is plain
    producer.produce("afterwards", b"")
    producer.flush(30)
    assert observed.spans() == []


def test_what_a_record_has_is_told() -> None:
    """A tombstone is one; a key that is no text is not told."""
    assert described(topic="t", key=b"\xff").attributes == {"messaging.kafka.message.tombstone": True}
    assert described(topic="t", key="k", value=b"", partition=0).attributes == {
        "messaging.destination.partition.id": "0",
        "messaging.kafka.message.key": "k",
    }
