"""Requests that nobody in their right mind would send: made by Hypothesis, mutated, spliced, mislabelled.

The same seed gives the same requests, apart from the times in real bodies. It does not know how they are sent.
"""

import gzip
import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

import zstandard
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.realistic import Restamper
from homeostat_server.model.otlp_json import to_otlp_json
from homeostat_server.model.signal import Signal
from tests.any_message import any_bodies
from tests.mutations import mutated
from tests.otlp import NOW_NS
from tests.wire_mutations import reshaped

REQUESTS: Final[Mapping[Signal, type[Message]]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
CONTENT_TYPES: Final = (
    *(PROTOBUF, JSON, "application/json; charset=utf-16", "application/protobuf;v=1", "text/plain", ""),
    *("application/grpc", "multipart/form-data; boundary=x", "*/*", ";;;", "a" * 500),
)
ENCODINGS: Final = ("", "gzip", "deflate", "zstd", "identity", "br", "gzip, gzip", "GZIP", "x" * 300)
_COMPRESSORS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda data: gzip.compress(data, 1),
    "deflate": zlib.compress,
    # One a body: a compressor that two threads use at once never comes back.
    "zstd": lambda data: zstandard.ZstdCompressor(level=1).compress(data),
}
_NESTED: Final = json.loads("[" * 200 + "]" * 200)
_ODD_VALUES: Final[Sequence[Any]] = (
    *(None, True, -1, 0, 2**64, -(2**70), 1.5, 1e308, float("nan"), float("inf"), "", "NaN", "-1", "x" * 300, "\0"),
    *([], {}, [None], {"": {}}, {"key": 1}, _NESTED, "AAAA", "zz" * 16, "00" * 16, "18446744073709551616"),
)


@dataclass(frozen=True, slots=True)
class Hostile:
    """Hold one request: where it goes, what it says and how it calls that; `made` says by which trick."""

    signal: Signal
    data: bytes
    made: str
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": PROTOBUF})


@dataclass(frozen=True, slots=True)
class Corpus:
    """Hold what requests are made of: real bodies and Hypothesis's, each as protobuf and as JSON documents."""

    bodies: Mapping[Signal, Sequence[bytes]]
    documents: Mapping[Signal, Sequence[Any]]


def corpus(*, made_by_hypothesis: int, seed: int) -> Corpus:
    """Return a corpus with so many bodies of each signal from Hypothesis, and a quarter as many real ones."""
    bodies = {
        signal: any_bodies(kind, count=made_by_hypothesis, seed_number=seed) + _real(signal, made_by_hypothesis // 4)
        for signal, kind in REQUESTS.items()
    }
    documents = {
        signal: [to_otlp_json(REQUESTS[signal].FromString(body)) for body in made[::3]]
        for signal, made in bodies.items()
    }
    return Corpus(bodies, documents)


def _real(signal: Signal, count: int) -> list[bytes]:
    restamper = Restamper(signal.value, bodies=count, items_per_body=6)
    return [restamper.next(NOW_NS).data for _ in range(count)]


class HostileRequests:
    """Make hostile requests out of a corpus, without end."""

    def __init__(self, source: Corpus, *, seed: int) -> None:
        """Begin a row of its own for a seed."""
        self._corpus = source
        self._random = Random(seed)
        # By how often: what fails at the first byte is quickly said, and tests little.
        self._tricks = (
            *[self._mutated] * 6,
            *[self._reshaped] * 6,
            *[self._as_made] * 2,
            *[self._spliced] * 2,
            self._merged,
            *[self._mutated_document] * 2,
            *[self._mutated_text] * 2,
            self._elsewhere,
            self._mutated_coding,
            self._mislabelled,
        )

    def next(self) -> Hostile:
        """Return the next request."""
        made = self._random.choice(self._tricks)()
        if "Content-Encoding" in made.headers or self._random.random() > 0.2:
            return made
        coding = self._random.choice(list(_COMPRESSORS))
        headers = {**made.headers, "Content-Encoding": coding}
        return Hostile(made.signal, _COMPRESSORS[coding](made.data), made.made, headers)

    def _pick(self) -> tuple[Signal, bytes]:
        signal = self._random.choice(list(Signal))
        return signal, self._random.choice(self._corpus.bodies[signal])

    def _as_made(self) -> Hostile:
        signal, body = self._pick()
        return Hostile(signal, body, "as made")

    def _mutated(self) -> Hostile:
        signal, body = self._pick()
        return Hostile(signal, mutated(self._random, body), "mutated")

    def _reshaped(self) -> Hostile:
        signal, body = self._pick()
        for _ in range(self._random.randrange(1, 4)):
            body = reshaped(self._random, body)
        return Hostile(signal, body, "reshaped")

    def _merged(self) -> Hostile:
        """Put two bodies into one, which protobuf takes as one message with the fields of both."""
        signal, body = self._pick()
        return Hostile(signal, body + self._random.choice(self._corpus.bodies[signal]), "merged")

    def _spliced(self) -> Hostile:
        signal, one = self._pick()
        other = self._random.choice(self._corpus.bodies[signal])
        cut, start = self._random.randrange(len(one) + 1), self._random.randrange(len(other) + 1)
        return Hostile(signal, one[:cut] + other[start:], "spliced")

    def _elsewhere(self) -> Hostile:
        _, body = self._pick()
        return Hostile(self._random.choice(list(Signal)), body, "another signal's")

    def _mutated_coding(self) -> Hostile:
        signal, body = self._pick()
        coding = self._random.choice(list(_COMPRESSORS))
        headers = {"Content-Type": PROTOBUF, "Content-Encoding": coding}
        return Hostile(signal, mutated(self._random, _COMPRESSORS[coding](body)), "broken coding", headers)

    def _mislabelled(self) -> Hostile:
        signal, body = self._pick()
        content_type, coding = self._random.choice(CONTENT_TYPES), self._random.choice(ENCODINGS)
        return Hostile(signal, body, "mislabelled", {"Content-Type": content_type, "Content-Encoding": coding})

    def _mutated_text(self) -> Hostile:
        signal, document = self._pick_document()
        text = json.dumps(document).encode()
        return Hostile(signal, mutated(self._random, text), "JSON, bytes mutated", {"Content-Type": JSON})

    def _mutated_document(self) -> Hostile:
        signal, document = self._pick_document()
        # A copy: the corpus stays as it is.
        text = json.dumps(self._changed(json.loads(json.dumps(document)))).encode()
        return Hostile(signal, text, "JSON, values replaced", {"Content-Type": JSON})

    def _pick_document(self) -> tuple[Signal, Any]:
        signal = self._random.choice(list(Signal))
        return signal, self._random.choice(self._corpus.documents[signal])

    def _changed(self, document: Any) -> Any:  # noqa: ANN401 - a JSON document
        """Return the document with something odd somewhere: walk down at random, and replace what is there."""
        node = document
        while True:
            keys: Sequence[Any] = list(node) if isinstance(node, dict) else range(len(node))
            if not keys:
                return document
            key = self._random.choice(keys)
            if not isinstance(node[key], dict | list) or not node[key] or self._random.random() < 0.1:
                node[key] = self._random.choice(_ODD_VALUES)
                return document
            node = node[key]
