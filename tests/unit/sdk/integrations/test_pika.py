"""Pika against a real RabbitMQ."""

from collections.abc import Iterator
from typing import Any

import pika
import pytest
from opentelemetry.trace import SpanKind

from homeostat.integrations import pika as integration
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
def channel(amqp_url: str) -> Iterator[Any]:
    """Give a blocking channel."""
    connection = pika.BlockingConnection(pika.URLParameters(amqp_url))
    yield connection.channel()
    connection.close()


def test_a_handler_runs_inside_the_span_of_its_message(observed: Observed, channel: Any) -> None:  # noqa: ANN401 - untyped
    """With all that travels; the program's properties are as they were."""
    channel.queue_declare("handled", auto_delete=True)

    def handle(_channel: object, _method: object, properties: Any, body: bytes) -> None:  # noqa: ANN401 - untyped
        observed.seen.append(see((properties.headers["mine"], body)))
        channel.stop_consuming()

    properties = pika.BasicProperties(headers={"mine": 1}, message_id="p-1")
    with in_request(observed):
        channel.basic_publish("", "handled", b"payload", properties)
        channel.basic_consume("handled", handle, auto_ack=True)
    channel.start_consuming()
    [seen] = observed.seen
    check_one_trace(observed, seen, system="rabbitmq", destination="handled")
    assert seen.values.message_id == "p-1"
    assert seen.payload == (1, b"payload")
    assert properties.headers == {"mine": 1}


def test_a_loop_s_body_runs_inside_the_span_of_its_message(observed: Observed, channel: Any) -> None:  # noqa: ANN401 - untyped
    """Where nothing came there is none, and after a break nothing stays."""
    channel.queue_declare("looped", auto_delete=True)
    for _ in range(2):
        with in_request(observed):
            channel.basic_publish("", "looped", "text")
    for method, _properties, _body in channel.consume("looped", auto_ack=True, inactivity_timeout=0.2):
        if method is None:
            break
        observed.seen.append(see())
    assert current() == Correlation()
    channel.cancel()
    assert [seen.span.span_id for seen in observed.seen] == observed.ids(SpanKind.CONSUMER)
    for seen in observed.seen:
        check_values(seen)


def test_a_message_that_was_got_is_handled_where_the_program_says(observed: Observed, channel: Any) -> None:  # noqa: ANN401 - untyped
    """Pika gives it in three parts."""
    channel.queue_declare("got", auto_delete=True)
    with in_request(observed):
        channel.basic_publish("", "got", b"", mandatory=True)
    method, properties, body = channel.basic_get("got", auto_ack=True)
    with observed.messaging.processing(integration.received(method, properties, body)):
        observed.seen.append(see())
    check_one_trace(observed, observed.seen[0], system="rabbitmq", destination="got")


def test_a_handler_outlives_the_integration(channel: Any) -> None:  # noqa: ANN401 - untyped
    """It is still called, without a span."""
    channel.queue_declare("outlived", auto_delete=True)
    called = []

    def handle(*_delivered: object) -> None:
        called.append(True)
        channel.stop_consuming()

    with observing(integration) as observed:
        channel.basic_consume("outlived", handle, auto_ack=True)
    channel.basic_publish("", "outlived", b"")
    channel.start_consuming()
    assert called == [True]
    assert observed.spans() == []
