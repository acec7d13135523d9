"""Clients that remember what they were told: what was acknowledged, and what was sent without an answer.

A client is one thread with one connection. When the connection dies, it stops, and begins the next round with the
bodies that had no answer, byte for byte, as an exporter would. It also sends some answered ones again.
"""

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from http.client import HTTPConnection, HTTPException
from random import Random
from typing import Final, Protocol

import grpc

from homeostat_server.api.ingest_grpc import METHODS
from homeostat_server.model.signal import Signal
from tests.e2e.numbered import Body, numbered_body
from tests.running import PROTOBUF, Platform, ask

_ITEMS_MAX: Final = 200
_REPEATED_SHARE: Final = 0.1
_REMEMBERED: Final = 16  # answered bodies that may be sent again
_REPEATED_WITHIN_S: Final = 45.0
"""After a body was first sent, so that the minute in which it is known has not passed, however slow the machine is."""

_TIMEOUT_S: Final = 30.0


class Told(Enum):
    """Name what a sender knows after sending."""

    ACKNOWLEDGED = auto()
    REFUSED = auto()
    NOTHING = auto()


class Door(Protocol):
    """Send bodies over one connection."""

    def send(self, signal: Signal, data: bytes) -> Told:
        """Send one body and wait for the answer."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class HttpDoor:
    """Send over HTTP and keep the connection."""

    def __init__(self, platform: Platform) -> None:
        """Connect at the first body."""
        self._connection = HTTPConnection("127.0.0.1", platform.http_port, timeout=_TIMEOUT_S)

    def send(self, signal: Signal, data: bytes) -> Told:
        """Send one body."""
        try:
            answer = ask(self._connection, "POST", f"/v1/{signal}", body=data, headers=PROTOBUF)
        except (OSError, HTTPException):
            return Told.NOTHING
        if answer.status == 503:
            return Told.REFUSED
        assert (answer.status, answer.body) == (200, b""), answer
        return Told.ACKNOWLEDGED

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


_METHOD_OF: Final = {signal: method for method, signal in METHODS.items()}


class GrpcDoor:
    """Send over gRPC."""

    def __init__(self, platform: Platform) -> None:
        """Connect at the first body, over a connection that no other channel uses."""
        self._channel = grpc.insecure_channel(platform.grpc_target, options=[("grpc.use_local_subchannel_pool", 1)])
        self._calls: dict[Signal, grpc.UnaryUnaryMultiCallable[bytes, bytes]] = {
            signal: self._channel.unary_unary(method) for signal, method in _METHOD_OF.items()
        }

    def send(self, signal: Signal, data: bytes) -> Told:
        """Send one body."""
        try:
            answer = self._calls[signal](data, timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            assert error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED), error
            # Ours carries a status of its own; a connection that broke does not.
            refused = any(entry.key == "grpc-status-details-bin" for entry in error.trailing_metadata() or ())
            return Told.REFUSED if refused else Told.NOTHING
        assert answer == b"", answer
        return Told.ACKNOWLEDGED

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


@dataclass(frozen=True, slots=True)
class Sent:
    """Hold a body and when it was first sent."""

    body: Body
    at_s: float

    @property
    def may_be_repeated(self) -> bool:
        """Say whether it is known as a retry when it is sent again now."""
        return time.monotonic() - self.at_s < _REPEATED_WITHIN_S


@dataclass(slots=True)
class Ledger:
    """Remember what one client sent, by the bodies' numbers: items of those acknowledged, and of all."""

    acknowledged: dict[Signal, dict[int, int]] = field(default_factory=lambda: {signal: {} for signal in Signal})
    sent: dict[Signal, dict[int, int]] = field(default_factory=lambda: {signal: {} for signal in Signal})
    repeated: int = 0


class Client:
    """Send numbered bodies of all signals from one thread at a time."""

    def __init__(
        self, name: str, *, connect: Callable[[Platform], Door], numbers: Iterator[int], random: Random
    ) -> None:
        """Know nothing of any platform yet; `numbers` may be shared, it gives each number once."""
        self.ledger = Ledger()
        self.unanswered: deque[Sent] = deque()
        self._name = name
        self._connect = connect
        self._numbers = numbers
        self._random = random
        self._answered: deque[Sent] = deque(maxlen=_REMEMBERED)

    def send_until_cut(self, platform: Platform, *, round_number: int, enough: threading.Event) -> None:
        """Send what is unanswered, then new bodies, until the connection breaks or it is enough."""
        door = self._connect(platform)
        try:
            while not enough.is_set() and self._send(door, self._next(round_number)):
                pass
        finally:
            door.close()

    def settle(self, platform: Platform) -> None:
        """Send what is unanswered, and not too old, until all of it is acknowledged."""
        door = self._connect(platform)
        try:
            while (sent := self._next_unanswered()) is not None:
                assert self._send(door, sent)
        finally:
            door.close()

    def _next_unanswered(self) -> Sent | None:
        """Return the oldest body without an answer; an exporter, too, gives up what is too old."""
        while self.unanswered:
            sent = self.unanswered.popleft()
            if sent.may_be_repeated:
                return sent
        return None

    def _next(self, round_number: int) -> Sent:
        unanswered = self._next_unanswered()
        if unanswered is not None:
            return unanswered
        if self._answered and self._random.random() < _REPEATED_SHARE:
            answered = self._random.choice(self._answered)
            if answered.may_be_repeated:
                self.ledger.repeated += 1
                return answered
        signal = self._random.choice(list(Signal))
        items = self._random.choice((1, 7, 40, _ITEMS_MAX))
        number = next(self._numbers)
        body = numbered_body(signal, number=number, items=items, service=self._name, round_number=round_number)
        self.ledger.sent[signal][number] = items
        return Sent(body, time.monotonic())

    def _send(self, door: Door, sent: Sent) -> bool:
        """Send one body and remember what came of it; say whether the connection still stands."""
        body = sent.body
        told = door.send(body.signal, body.data)
        if told is Told.ACKNOWLEDGED:
            self.ledger.acknowledged[body.signal][body.number] = body.items
            self._answered.append(sent)
        elif body.number not in self.ledger.acknowledged[body.signal]:
            self.unanswered.append(sent)
        return told is not Told.NOTHING


def clients(*, http: int, grpc_clients: int, seed: int) -> list[Client]:
    """Return clients that share one row of numbers."""
    numbers = itertools.count(1)
    doors: list[Callable[[Platform], Door]] = [HttpDoor] * http + [GrpcDoor] * grpc_clients
    return [
        Client(f"client-{index}", connect=door, numbers=numbers, random=Random(seed * 100 + index))
        for index, door in enumerate(doors)
    ]


class Load:
    """Let clients send at the same time, from entering to `join`; an assertion that fails in one fails here."""

    def __init__(self, senders: Sequence[Client], platform: Platform, *, round_number: int) -> None:
        """Start all of them."""
        self._enough = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._run, args=(client, platform, round_number)) for client in senders
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, client: Client, platform: Platform, round_number: int) -> None:
        try:
            client.send_until_cut(platform, round_number=round_number, enough=self._enough)
        except AssertionError as error:
            self._errors.append(error)

    def is_enough(self) -> None:
        """Let each client end after its current body."""
        self._enough.set()

    def join(self) -> None:
        """Wait for all clients."""
        for thread in self._threads:
            thread.join()
        assert not self._errors, self._errors
