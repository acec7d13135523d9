import asyncio
import gzip
from collections.abc import Iterator

import pytest

from homeostat_server.exceptions import InvalidRequest, Overloaded, SpoolFull, SpoolUnavailable, TooLarge
from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.decoding import BodyFormat, RawBody
from homeostat_server.ingest.intake import Intake, Outcome
from homeostat_server.ingest.intake_counts import IntakeCounts, Transport
from homeostat_server.ingest.testing_intake import MemorySpool
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from tests.otlp import attributes, span, traces

ACME = Tenant("acme")
BODY = traces(span()).SerializeToString()
BODY_BYTES_MAX = 1 << 20


@pytest.fixture
def telemetry() -> Telemetry:
    """Return metrics of this test alone."""
    return Telemetry()


@pytest.fixture
def spool() -> MemorySpool:
    """Return a spool of this test alone."""
    return MemorySpool()


@pytest.fixture
def intake(spool: MemorySpool, telemetry: Telemetry) -> Iterator[Intake]:
    """Return an intake that writes all signals to one spool and gives up quickly."""
    made = Intake(
        dict.fromkeys(Signal, spool),
        body_bytes_max=BODY_BYTES_MAX,
        attributes_max=10,
        counts=IntakeCounts(telemetry),
        acknowledge_timeout_s=0.05,
    )
    yield made
    made.close()


@pytest.fixture
def admission() -> Admission:
    """Return room for any body of these tests."""
    return Admission(bytes_max=2 * BODY_BYTES_MAX, requests_max=10, telemetry=Telemetry())


async def accept(intake: Intake, admission: Admission, raw: RawBody) -> Outcome:
    """Send one body as its receivers do."""
    with admission.admit() as admitted:
        admitted.grow(len(raw.data))
        return await intake.accept(raw, tenant=ACME, signal=Signal.TRACES, admitted=admitted)


async def test_a_good_request_is_durable_as_it_came(
    intake: Intake, admission: Admission, spool: MemorySpool, telemetry: Telemetry
) -> None:
    """The answer comes after the spool's, and the spool got the sender's bytes under the tenant."""
    assert await accept(intake, admission, RawBody(data=BODY)) == Outcome(items=1)
    assert spool.requests == [(ACME, BODY)]
    assert telemetry.value("homeostat_ingest_items_total", signal="traces", outcome="accepted") == 1
    assert telemetry.value("homeostat_ingest_accepted_bytes_total", signal="traces") == len(BODY)


async def test_the_same_request_again_is_a_duplicate(
    intake: Intake, admission: Admission, spool: MemorySpool, telemetry: Telemetry
) -> None:
    """A retry is acknowledged, and counted apart."""
    await accept(intake, admission, RawBody(data=BODY))
    again = await accept(intake, admission, RawBody(data=gzip.compress(BODY), encoding="gzip"))
    assert again == Outcome(items=1, duplicate=True)
    assert len(spool.requests) == 1
    assert telemetry.value("homeostat_ingest_items_total", signal="traces", outcome="duplicate") == 1


async def test_refused_items_are_counted_by_reason(intake: Intake, admission: Admission, telemetry: Telemetry) -> None:
    """Input is never dropped silently."""
    body = traces(span(), span(trace_id=b""), span(attributes=attributes(11))).SerializeToString()
    outcome = await accept(intake, admission, RawBody(data=body))
    assert (outcome.items, outcome.rejected) == (1, 2)
    assert "ingest_attributes_max" in outcome.explanation
    for reason in ("trace_id", "attributes"):
        assert telemetry.value("homeostat_ingest_refused_items_total", signal="traces", reason=reason) == 1
    assert telemetry.value("homeostat_ingest_items_total", signal="traces", outcome="rejected") == 2


async def test_nothing_good_means_nothing_spooled(intake: Intake, admission: Admission, spool: MemorySpool) -> None:
    """Empty requests and those of which nothing is left are answered without the disk."""
    spool.refuse_with = SpoolFull("append")
    assert await accept(intake, admission, RawBody(data=b"")) == Outcome(items=0)
    refused = await accept(intake, admission, RawBody(data=traces(span(span_id=b"")).SerializeToString()))
    assert (refused.items, refused.rejected) == (0, 1)
    assert spool.requests == []


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_a_large_body_takes_the_way_through_a_thread(
    intake: Intake, admission: Admission, spool: MemorySpool, encoding: str
) -> None:
    """What would hold up the event loop is decoded elsewhere, with the same outcome."""
    body = traces(*(span(name=f"operation {number}" * 30) for number in range(1_500))).SerializeToString()
    data = gzip.compress(body) if encoding else body
    assert len(body) > 512 * 1024
    assert (await accept(intake, admission, RawBody(data=data, encoding=encoding))).items == 1_500
    assert spool.requests == [(ACME, body)]


async def test_a_small_bomb_is_refused_by_the_bound_on_bodies(intake: Intake, admission: Admission) -> None:
    """A body that is small as received and too large behind its coding ends as too large, not as small."""
    bomb = gzip.compress(bytes(BODY_BYTES_MAX + 1))
    with pytest.raises(TooLarge):
        await accept(intake, admission, RawBody(data=bomb, encoding="gzip"))
    with pytest.raises(InvalidRequest):
        await accept(intake, admission, RawBody(data=b"no json", format=BodyFormat.JSON))


async def test_what_decompression_adds_is_counted(intake: Intake, spool: MemorySpool) -> None:
    """A body is admitted by its size in memory, not by its size on the wire, for as long as it waits."""
    body = traces(span(name="x" * 50_000)).SerializeToString()
    raw = RawBody(data=gzip.compress(body), encoding="gzip")
    narrow = Admission(bytes_max=10_000, requests_max=10, telemetry=Telemetry())
    with pytest.raises(Overloaded):
        await accept(intake, narrow, raw)
    wide = Admission(bytes_max=60_000, requests_max=10, telemetry=Telemetry())
    spool.acknowledges = False
    waiting = asyncio.create_task(accept(intake, wide, raw))
    await asyncio.sleep(0)
    assert wide.bytes_in_flight == len(body)
    spool.acknowledge()
    await waiting


@pytest.mark.parametrize("error", [SpoolFull("append"), SpoolUnavailable("append", hint="disk full")])
async def test_the_spools_refusal_is_the_requests(
    intake: Intake, admission: Admission, spool: MemorySpool, error: SpoolFull | SpoolUnavailable
) -> None:
    """What the spool raises at once, or later through its future, reaches the sender; nothing is counted as stored."""
    spool.refuse_with = error
    with pytest.raises(type(error)):
        await accept(intake, admission, RawBody(data=BODY))
    spool.refuse_with, spool.fail_with = None, error
    with pytest.raises(type(error)):
        await accept(intake, admission, RawBody(data=BODY))
    assert admission.bytes_in_flight == 0


async def test_a_disk_that_does_not_answer_is_given_up(
    intake: Intake, admission: Admission, spool: MemorySpool
) -> None:
    """A sender is told to come back when the fsync does not end; the spool's late answer hurts nobody."""
    spool.acknowledges = False
    with pytest.raises(SpoolUnavailable, match="no answer from the disk"):
        await accept(intake, admission, RawBody(data=BODY))
    spool.acknowledge()
    await asyncio.sleep(0)


async def test_a_sender_that_leaves_does_not_disturb_the_spool(
    intake: Intake, admission: Admission, spool: MemorySpool
) -> None:
    """A cancelled request gives its room back; the request itself becomes durable all the same."""
    spool.acknowledges = False
    waiting = asyncio.create_task(accept(intake, admission, RawBody(data=BODY)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert admission.requests_in_flight == 0
    spool.acknowledge()
    assert spool.requests == [(ACME, BODY)]


def test_answers_are_counted_by_transport_and_outcome(telemetry: Telemetry) -> None:
    """Requests and their latency are told apart by signal, transport and how they ended."""
    IntakeCounts(telemetry).answered(Signal.LOGS, transport=Transport.GRPC, outcome="accepted", seconds=0.2)
    labels = {"signal": "logs", "transport": "grpc"}
    assert telemetry.value("homeostat_ingest_requests_total", outcome="accepted", **labels) == 1
    assert telemetry.value("homeostat_ingest_request_seconds_sum", **labels) == pytest.approx(0.2)
