"""One kept-alive HTTP connection, and how long an answer took. It judges nothing."""

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

_ANSWER_S: Final = 120.0

Query = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """Hold a question: a path with its parameters."""

    path: str
    query: Query = ()

    @property
    def target(self) -> str:
        """Return what stands in the request line."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path


@dataclass(frozen=True, slots=True)
class Answered:
    """Hold an answer: status, body, and milliseconds until its last byte."""

    status: int
    body: bytes
    milliseconds: float

    def document(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty when it is none."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class Client:
    """Ask one platform, one question at a time."""

    def __init__(self, port: int) -> None:
        """Connect at the first question."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_ANSWER_S)

    def ask(self, asked: Asked) -> Answered:
        """Return the answer to a question."""
        began_s = time.perf_counter()
        self._connection.request("GET", asked.target)
        response = self._connection.getresponse()
        body = response.read()
        return Answered(response.status, body, (time.perf_counter() - began_s) * 1000)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
