import pytest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.ingest.checks.logs import count_if_all_good, refusal_of, refuse_bad
from homeostat_server.ingest.checks.refusals import TIME_NS_MAX, Refusal
from tests.otlp import SPAN_ID, TRACE_ID, attributes, logs, record

ATTRIBUTES_MAX = 10

BAD_RECORDS = [
    ({"trace_id": TRACE_ID[:8]}, Refusal.TRACE_ID),
    ({"trace_id": TRACE_ID * 2}, Refusal.TRACE_ID),
    ({"span_id": SPAN_ID[:3]}, Refusal.SPAN_ID),
    ({"time_unix_nano": TIME_NS_MAX + 1}, Refusal.TIME),
    ({"observed_time_unix_nano": 2**64 - 1}, Refusal.TIME),
    ({"attributes": attributes(ATTRIBUTES_MAX + 1)}, Refusal.ATTRIBUTES),
]


@pytest.mark.parametrize(("changes", "refusal"), BAD_RECORDS)
def test_a_record_that_cannot_be_stored_is_refused_with_its_reason(
    changes: dict[str, object], refusal: Refusal
) -> None:
    """Each way to be unstorable is found by the fast pass and named by the slow one, which removes it."""
    request = logs(record(), record(**changes), record())
    assert refusal_of(record(**changes), attributes_max=ATTRIBUTES_MAX) is refusal
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) is None
    assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).counts == {refusal: 1}
    assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"trace_id": b"", "span_id": b""},
        {"trace_id": bytes(16), "span_id": bytes(8)},
        {"time_unix_nano": 0, "observed_time_unix_nano": 0},
        {"time_unix_nano": TIME_NS_MAX, "attributes": attributes(ATTRIBUTES_MAX), "severity_number": 99},
    ],
)
def test_a_record_without_time_or_trace_is_taken(changes: dict[str, object]) -> None:
    """A log record needs neither time nor trace; all-zero ids mean the same as none."""
    assert count_if_all_good(logs(record(**changes)), attributes_max=ATTRIBUTES_MAX) == 1
    assert refusal_of(record(**changes), attributes_max=ATTRIBUTES_MAX) is None


def test_a_crowded_resource_or_scope_costs_all_its_records() -> None:
    """More attributes than may be on the resource or scope are on every record of it."""
    crowd = attributes(ATTRIBUTES_MAX + 1)
    for request in (
        logs(record(), record(), resource=Resource(attributes=crowd)),
        logs(record(), record(), scope=InstrumentationScope(attributes=crowd)),
    ):
        assert count_if_all_good(request, attributes_max=ATTRIBUTES_MAX) is None
        assert refuse_bad(request, attributes_max=ATTRIBUTES_MAX).counts == {Refusal.ATTRIBUTES: 2}
