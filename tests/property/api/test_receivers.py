import asyncio
import gzip
from random import Random

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from homeostat_server.api.app import create_app
from homeostat_server.api.ingest import ingest_router
from homeostat_server.api.reception import Reception
from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.intake import Intake
from homeostat_server.ingest.intake_counts import IntakeCounts
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.tokens import Headers
from tests.mutations import mutated
from tests.otlp import logs, metric, metrics, number, record, span, traces

BODY_BYTES_MAX = 4_096
ALLOWED = {200, 400, 413, 415, 429, 503}
GOOD = {
    Signal.TRACES: traces(span(), span()).SerializeToString(),
    Signal.LOGS: logs(record(), record()).SerializeToString(),
    Signal.METRICS: metrics(metric(number(), number())).SerializeToString(),
}


class Open:
    """Let everybody in."""

    def authenticate(self, _headers: Headers, *, scope: Scope) -> Principal:
        """Return the default tenant."""
        return Principal(tenant=DEFAULT_TENANT, scopes=frozenset({scope}))


def post(signal: Signal, content: bytes, headers: dict[str, str]) -> httpx.Response:
    """Send one request to an application of its own."""
    telemetry = Telemetry()
    counts = IntakeCounts(telemetry)
    intake = Intake(
        dict.fromkeys(Signal, MemorySpool()), body_bytes_max=BODY_BYTES_MAX, attributes_max=100, counts=counts
    )
    reception = Reception(
        authenticator=Open(),  # type: ignore[arg-type] # as much of one as is needed
        admission=Admission(bytes_max=4 * BODY_BYTES_MAX, requests_max=4, telemetry=telemetry),
        intake=intake,
        counts=counts,
        clock=SystemClock(),
        body_bytes_max=BODY_BYTES_MAX,
    )
    app = create_app(version="1", guard=lambda _headers: None, ingest=ingest_router(reception))

    async def send() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
            return await client.post(f"/v1/{signal}", content=content, headers=headers)

    try:
        return asyncio.run(send())
    finally:
        intake.close()


CONTENT_TYPES = st.sampled_from(
    [
        "application/x-protobuf",
        "application/json",
        "application/json;charset=latin-1",
        "text/plain",
        "",
        "\x00",
        "a/b" * 99,
    ]
)
ENCODINGS = st.sampled_from(["", "gzip", "deflate", "zstd", "identity", "br", "GZIP ", "gzip,gzip", "\xff"])


@settings(max_examples=300)
@given(st.sampled_from(Signal), st.binary(max_size=BODY_BYTES_MAX + 10), CONTENT_TYPES, ENCODINGS)
def test_no_request_is_answered_with_a_defect(signal: Signal, content: bytes, content_type: str, encoding: str) -> None:
    """Whatever is sent, however it is labelled, the answer is one of those that are documented."""
    headers = {"Content-Type": content_type.encode("latin-1"), "Content-Encoding": encoding.encode("latin-1")}
    response = post(signal, content, headers)  # type: ignore[arg-type] # bytes, so that no client mends them
    assert response.status_code in ALLOWED


@settings(max_examples=200)
@given(st.sampled_from(Signal), st.randoms(use_true_random=False), st.booleans())
def test_mutated_bodies_are_answered_in_their_format(signal: Signal, random: Random, zipped: bool) -> None:  # noqa: FBT001
    """A good body with some bytes changed is taken, partly taken or refused, and told so in protobuf."""
    body = mutated(random, GOOD[signal])
    headers = {"Content-Type": "application/x-protobuf"}
    response = post(
        signal, gzip.compress(body) if zipped else body, headers | ({"Content-Encoding": "gzip"} if zipped else {})
    )
    assert response.status_code in ALLOWED
    assert response.headers["content-type"] == "application/x-protobuf"
