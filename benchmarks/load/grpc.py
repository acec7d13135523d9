"""Sending over OTLP/gRPC with the stock client, bytes in and bytes out. It takes more CPU than the HTTP sender."""

import queue
import threading
import time
from typing import Final

import grpc

from benchmarks.load.http import Acknowledged
from benchmarks.load.phases import Load, Phase, Tally
from benchmarks.load.stock import Stock
from benchmarks.realistic import Body

_METHODS: Final = {
    signal: f"/opentelemetry.proto.collector.{package}.v1.{package.capitalize()}Service/Export"
    for signal, package in (("traces", "trace"), ("logs", "logs"), ("metrics", "metrics"))
}
_CHANNELS: Final = 4
_ANSWER_S: Final = 60.0
# Channels to one address share a connection unless they are told not to.
_OPTIONS: Final = (("grpc.use_local_subchannel_pool", 1),)


class GrpcSender:
    """Send the bodies of a stock to one door."""

    def __init__(self, load: Load, stock: Stock, *, acknowledged: Acknowledged | None) -> None:
        """Open the channels; `acknowledged` is told each body that was taken, and when."""
        self._channels = [grpc.insecure_channel(f"127.0.0.1:{load.port}", options=_OPTIONS) for _ in range(_CHANNELS)]
        self._calls: list[grpc.UnaryUnaryMultiCallable[bytes, bytes]] = [
            channel.unary_unary(_METHODS[load.signal], request_serializer=None, response_deserializer=None)
            for channel in self._channels
        ]
        self._stock = stock
        self._acknowledged = acknowledged

    def run(self, phase: Phase) -> Tally:
        """Send for a while and wait for the last answers."""
        run = _Run(phase.connections, self._acknowledged)
        due_s = time.time()
        end_s = due_s + phase.duration_s
        number = 0
        while time.time() < end_s:
            run.wait_for_place()
            wait_s = due_s - time.time()
            if phase.items_per_s and wait_s > 0:
                time.sleep(wait_s)
            body = self._stock.next()
            run.send(self._calls[number % _CHANNELS], body, due_s if phase.items_per_s else time.time())
            due_s += body.items / phase.items_per_s if phase.items_per_s else 0.0
            number += 1
        run.finish(phase.connections)
        return run.tally


class _Run:
    """Hold what is under way in one phase."""

    def __init__(self, places: int, acknowledged: Acknowledged | None) -> None:
        self.tally = Tally()
        self._acknowledged = acknowledged
        self._lock = threading.Lock()
        self._places: queue.SimpleQueue[None] = queue.SimpleQueue()
        for _ in range(places):
            self._places.put(None)

    def wait_for_place(self) -> None:
        self._places.get(timeout=_ANSWER_S)

    def send(self, call: "grpc.UnaryUnaryMultiCallable[bytes, bytes]", body: Body, due_s: float) -> None:
        future = call.future(body.data, timeout=_ANSWER_S)
        future.add_done_callback(lambda done: self._answered(done, body, due_s))

    def finish(self, places: int) -> None:
        for _ in range(places):
            self.wait_for_place()

    def _answered(self, done: "grpc.Future[bytes]", body: Body, due_s: float) -> None:
        now_s = time.time()
        error = done.exception()
        status = "200" if error is None else error.code().name if isinstance(error, grpc.RpcError) else "lost"
        with self._lock:
            self.tally.answered(
                status, items=body.items, size_bytes=len(body.data), seconds=now_s - due_s, retry_after=False
            )
            if error is None and self._acknowledged is not None:
                self._acknowledged(body.data, now_s)
        self._places.put(None)
