"""Sending over HTTP/1.1 on kept-alive connections, in one thread. It reads of an answer the status and two headers."""

import contextlib
import re
import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from benchmarks.load.phases import Load, Phase, Tally
from benchmarks.load.stock import Stock
from benchmarks.realistic import Body

_SEND_BUFFER_BYTES: Final = 2 << 20  # a whole body goes to the kernel in one call
_READ_BYTES: Final = 64 << 10
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_RETRY_AFTER: Final = re.compile(rb"\r\nretry-after: *\d+", re.IGNORECASE)
_ANSWER_S: Final = 60.0

Acknowledged = Callable[[bytes, float], None]


@dataclass(slots=True, eq=False)
class _Connection:
    socket: socket.socket
    body: Body
    due_s: float = 0.0
    unsent: memoryview | None = None
    received: bytes = b""


class HttpSender:
    """Send the bodies of a stock to one door."""

    def __init__(self, load: Load, stock: Stock, *, acknowledged: Acknowledged | None) -> None:
        """Send nothing yet; `acknowledged` is told each body that was taken, and when."""
        encoding = "content-encoding: gzip\r\n" if load.gzip else ""
        self._head = (
            f"POST /v1/{load.signal} HTTP/1.1\r\nhost: 127.0.0.1:{load.port}\r\n"
            f"content-type: application/x-protobuf\r\n{encoding}content-length: "
        ).encode()
        self._address = ("127.0.0.1", load.port)
        self._stock = stock
        self._acknowledged = acknowledged

    def run(self, phase: Phase) -> Tally:
        """Send for a while and wait for the last answers."""
        return _Run(self, phase).run()

    def connect(self) -> socket.socket:
        """Open a connection."""
        opened = socket.create_connection(self._address, timeout=_ANSWER_S)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        opened.setblocking(False)
        return opened

    def request(self) -> tuple[Body, bytes]:
        """Return the next body with the head of its request."""
        body = self._stock.next()
        return body, self._head + str(len(body.data)).encode() + b"\r\n\r\n"

    def tell(self, body: bytes, now_s: float) -> None:
        """Tell that a body was acknowledged."""
        if self._acknowledged is not None:
            self._acknowledged(body, now_s)


class _Run:
    """Hold the connections of one phase."""

    def __init__(self, sender: HttpSender, phase: Phase) -> None:
        self._sender = sender
        self._phase = phase
        self._tally = Tally()
        self._poll = select.poll()
        self._idle: list[_Connection] = []
        self._busy: dict[int, _Connection] = {}
        for _ in range(phase.connections):
            self._idle.append(_Connection(sender.connect(), Body(b"", 0)))

    def run(self) -> Tally:
        began_s = due_s = time.time()
        end_s = began_s + self._phase.duration_s
        while (now_s := time.time()) < end_s:
            while self._idle and due_s <= now_s:
                connection = self._idle.pop()
                self._send(connection, due_s if self._phase.items_per_s else now_s)
                due_s += self._interval_s(connection.body)
            wait_s = min(end_s, due_s if self._idle else end_s) - now_s
            self._serve(max(wait_s, 0.0))
        self._finish()
        return self._tally

    def _interval_s(self, body: Body) -> float:
        """Return when the next body is due after this one."""
        return body.items / self._phase.items_per_s if self._phase.items_per_s else 0.0

    def _finish(self) -> None:
        """Wait for the answers that are outstanding."""
        deadline_s = time.time() + _ANSWER_S
        while self._busy and time.time() < deadline_s:
            self._serve(0.1)
        for connection in self._busy.values():
            self._tally.answered("none", items=0, size_bytes=0, seconds=_ANSWER_S, retry_after=False)
            connection.socket.close()
        for connection in self._idle:
            connection.socket.close()

    def _send(self, connection: _Connection, due_s: float) -> None:
        body, head = self._sender.request()
        connection.body, connection.due_s, connection.received = body, due_s, b""
        self._busy[connection.socket.fileno()] = connection
        try:
            sent = connection.socket.sendmsg((head, body.data))
        except BlockingIOError:
            sent = 0
        except OSError:
            self._lost(connection)
            return
        self._register(connection, sent, head)

    def _register(self, connection: _Connection, sent: int, head: bytes) -> None:
        if sent == len(head) + len(connection.body.data):
            connection.unsent = None
            self._poll.register(connection.socket, select.POLLIN)
        else:
            connection.unsent = memoryview(head + connection.body.data)[sent:]
            self._poll.register(connection.socket, select.POLLIN | select.POLLOUT)

    def _serve(self, wait_s: float) -> None:
        for number, events in self._poll.poll(wait_s * 1000):
            connection = self._busy[number]
            try:
                if events & select.POLLOUT and connection.unsent is not None:
                    self._send_rest(connection)
                if events & (select.POLLIN | select.POLLHUP | select.POLLERR):
                    self._receive(connection)
            except BlockingIOError:
                continue
            except OSError:
                self._lost(connection)

    def _send_rest(self, connection: _Connection) -> None:
        assert connection.unsent is not None
        connection.unsent = connection.unsent[connection.socket.send(connection.unsent) :]
        if not connection.unsent:
            connection.unsent = None
            self._poll.modify(connection.socket, select.POLLIN)

    def _receive(self, connection: _Connection) -> None:
        read = connection.socket.recv(_READ_BYTES)
        if not read:
            self._lost(connection)
            return
        connection.received += read
        head, mark, rest = connection.received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if mark and len(rest) >= (int(length[1]) if length else 0):
            self._answered(connection, head)

    def _answered(self, connection: _Connection, head: bytes) -> None:
        now_s = time.time()
        status = head[9:12].decode()
        body = connection.body
        self._tally.answered(
            status,
            items=body.items,
            size_bytes=len(body.data),
            seconds=now_s - connection.due_s,
            retry_after=_RETRY_AFTER.search(head) is not None,
        )
        if status == "200":
            self._sender.tell(body.data, now_s)
        if connection.unsent is not None or b"\r\nconnection: close" in head.lower():
            self._replace(connection)
        else:
            self._poll.unregister(connection.socket)
            del self._busy[connection.socket.fileno()]
            self._idle.append(connection)

    def _lost(self, connection: _Connection) -> None:
        """Count a connection that broke and open another."""
        self._tally.answered("lost", items=0, size_bytes=0, seconds=time.time() - connection.due_s, retry_after=False)
        self._replace(connection)

    def _replace(self, connection: _Connection) -> None:
        number = connection.socket.fileno()
        with contextlib.suppress(KeyError):  # it broke before it was watched
            self._poll.unregister(number)
        del self._busy[number]
        connection.socket.close()
        connection.socket = self._sender.connect()
        self._idle.append(connection)
