import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace

import confluent_kafka
import pytest
from aio_pika.message import IncomingMessage
from aiokafka.structs import ConsumerRecord
from nats.aio.client import Client
from nats.aio.msg import Msg
from opentelemetry.propagate import get_global_textmap, set_global_textmap
from opentelemetry.trace import SpanKind
from pika import BasicProperties
from pika.spec import Basic

from homeostat.integrations import handling
from homeostat.integrations.handling import processing, processing_batch
from homeostat.integrations.messaging import LINKS_MAX, Message, process_messaging
from homeostat.integrations.patching import Patches, belongs_to
from homeostat.propagation import Correlation, Propagator, bound, current, opened
from homeostat.tracing.failures import FAILURES
from tests.messages import Observed, observing, see

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HEADERS = {"traceparent": PARENT, "x-correlation-id": "c-1", "baggage": "tenant.id=acme"}
BYTES: list[tuple[str, str | bytes | None]] = [(name, value.encode()) for name, value in HEADERS.items()]


@pytest.fixture
def observed() -> Iterator[Observed]:
    """Give a propagator to the process."""
    with observing() as found:
        yield found


@pytest.fixture(autouse=True)
def failures_of_this_test_only() -> Iterator[None]:
    """Let each test be the first to fail in its way."""
    FAILURES.clear()
    yield
    FAILURES.clear()


def record(headers: Sequence[tuple[str, str | bytes | None]]) -> ConsumerRecord[bytes, bytes]:
    """Return a record of aiokafka."""
    return ConsumerRecord("orders", 0, 7, 0, 0, None, b"", None, 0, 0, tuple(headers))


def messages_of_all_kinds() -> list[object]:
    """Return one message of each client."""
    amqp = SimpleNamespace(
        delivery=Basic.Deliver(delivery_tag=1, exchange="", routing_key="orders"),
        header=SimpleNamespace(properties=BasicProperties(headers=HEADERS), body_size=0),
        body=b"",
    )
    incoming = IncomingMessage.__new__(IncomingMessage)
    for name, value in {
        "exchange": "",
        "routing_key": "orders",
        "message_id": None,
        "body": b"",
        "headers": dict(HEADERS),
        "delivery_tag": 1,
    }.items():
        object.__setattr__(incoming, name, value)
    return [
        Msg(Client(), subject="orders", headers=dict(HEADERS)),
        incoming,
        (amqp.delivery, amqp.header.properties, b""),
        record(BYTES),
        confluent_kafka.Message("orders", 0, 7, None, b"", BYTES),
        ("1-0", {f"homeostat:{name}": value for name, value in HEADERS.items()}),
        (b"1-0", {f"homeostat:{name}".encode(): value.encode() for name, value in HEADERS.items()}),
        opened({"homeostat": HEADERS, "payload": None}),
        Message(system="mine", destination="orders", headers=HEADERS.items()),
    ]


@pytest.mark.usefixtures("observed")
@pytest.mark.parametrize("message", messages_of_all_kinds(), ids=lambda message: type(message).__name__)
def test_a_message_of_any_client_can_be_handled(message: object) -> None:
    """Alone or in a batch, with its values; afterwards nothing stays."""
    with processing(message, destination="orders", group="workers"):
        assert (current().correlation_id, current().tenant) == ("c-1", "acme")
        assert f"{see().span.trace_id:032x}" == PARENT[3:35]
    with processing_batch([message, message], destination="orders"):
        assert (current().correlation_id, current().tenant) == ("c-1", "acme")
    assert current() == Correlation()


@pytest.mark.usefixtures("observed")
def test_what_cannot_be_read_is_handled_without(caplog: pytest.LogCaptureFixture) -> None:
    """The program goes on, and is told once."""
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            with processing(object()):
                assert current() == Correlation()
            with processing_batch([object()]):
                assert current() == Correlation()
    assert len(caplog.records) == 2


def test_a_batch_binds_what_its_messages_have_in_common(observed: Observed) -> None:
    """And has a correlation id of its own where they have several; without messages there is nothing to link."""
    described = [
        Message(system="s", destination="d", headers={**HEADERS, "x-correlation-id": name}.items(), message_id=name)
        for name in ("a", "b")
    ]
    with observed.messaging.processing_batch(described):
        values = current()
    assert values.tenant == "acme"
    assert values.correlation_id not in {None, "a", "b"}
    with bound(tenant="mine"), observed.messaging.processing_batch([]):
        assert current().tenant is None
    first, second = observed.spans(SpanKind.CONSUMER)
    assert [dict(link.attributes or {}) for link in first.links] == [
        {"messaging.message.id": "a"},
        {"messaging.message.id": "b"},
    ]
    assert (second.name, second.links) == ("process batch", ())


def test_a_batch_over_several_destinations_names_none(observed: Observed) -> None:
    """A message without a producer's span has no link, and there is a bound on links."""
    described = [Message(system="s", destination=f"d{number}", headers=HEADERS.items()) for number in range(200)]
    with observed.messaging.processing_batch([Message(system="s", destination="d"), *described]):
        pass
    [span] = observed.spans(SpanKind.CONSUMER)
    attributes = span.attributes or {}
    assert span.name == "process batch"
    assert "messaging.destination.name" not in attributes
    assert attributes["messaging.batch.message_count"] == 201
    assert len(span.links) == LINKS_MAX - 1


async def test_a_message_is_handled_in_an_asynchronous_block_too(observed: Observed) -> None:
    """With the same span."""
    async with observed.messaging.processing(Message(system="s", destination="d")) as span:
        assert see().span == span.get_span_context()


def test_a_library_s_message_that_cannot_be_described_is_handled_without(observed: Observed) -> None:
    """Whatever a later version of the library gives."""

    def describe(_message: object) -> Message:
        raise AttributeError("gone")

    with observed.messaging.handling(describe, object()):
        assert current() == Correlation()
    assert list(FAILURES.counts().values()) == [1]


def test_another_propagator_of_the_process_is_respected() -> None:
    """Without ours, messages are still read, by one of its own."""
    before = get_global_textmap()
    set_global_textmap(Propagator())
    assert process_messaging().propagator is get_global_textmap()
    set_global_textmap(before)
    assert isinstance(process_messaging().propagator, Propagator)
    assert handling.processing is processing


@dataclass
class Library:
    """A library whose methods are replaced."""

    calls: list[str] = field(default_factory=list)

    def send(self, text: str) -> str:
        """Send."""
        self.calls.append(text)
        return text

    async def send_later(self, text: str) -> str:
        """Send later."""
        return self.send(text)


class Inheriting(Library):
    """A class that inherits its methods."""


async def test_patches_can_be_taken_back(observed: Observed) -> None:
    """Also where the method was inherited, and where somebody has put another one on top."""

    def shout(_messaging: object, original: object, library: Library, text: str) -> str:
        assert callable(original)
        return str(original(library, text.upper()))

    async def shout_later(_messaging: object, original: object, library: Library, text: str) -> str:
        assert callable(original)
        return str(await original(library, text.upper()))

    patches, library = Patches(), Inheriting()
    assert patches.start(observed.messaging)
    assert not patches.start(observed.messaging)
    for _ in range(2):
        patches.replace(Inheriting, "send", shout)
        patches.replace(Inheriting, "send_later", shout_later)
    assert (library.send("a"), await library.send_later("b")) == ("A", "B")
    ours = vars(Inheriting)["send_later"]

    async def on_top(self: Library, text: str) -> str:
        return f"<{await ours(self, text)}>"

    Inheriting.send_later = on_top  # type: ignore[method-assign] # what somebody else might do
    patches.restore()
    assert "send" not in vars(Inheriting)
    assert (library.send("a"), await library.send_later("b")) == ("a", "<b>")
    assert patches.messaging is None
    Inheriting.send_later = ours  # type: ignore[method-assign] # what they would do afterwards
    patches.restore()
    assert "send_later" not in vars(Inheriting)


def test_a_library_s_own_functions_are_known() -> None:
    """However they are wrapped."""
    assert belongs_to(Client.publish, "nats")
    assert not belongs_to(see, "nats")
    assert not belongs_to(object(), "nats")
