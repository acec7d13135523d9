"""When a log record can be stored. As with spans: a fast way that says yes, a slow one that says why not.

A record needs no time stamp (the observed time or the time of receipt stands in for it) and no trace.
"""

from collections.abc import Iterable
from typing import Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from homeostat_server.ingest.checks.refusals import SPAN_ID_BYTES, TIME_NS_MAX, TRACE_ID_BYTES, Findings, Refusal
from homeostat_server.ingest.checks.removal import keep_good, refuse_all

_TRACE_ID_LENGTHS: Final = (0, TRACE_ID_BYTES)
_SPAN_ID_LENGTHS: Final = (0, SPAN_ID_BYTES)


def count_if_all_good(request: ExportLogsServiceRequest, *, attributes_max: int) -> int | None:
    """Return the number of records when every one can be stored, None when one cannot."""
    records = 0
    for block in request.resource_logs:
        if len(block.resource.attributes) > attributes_max:
            return None
        for scope in block.scope_logs:
            if len(scope.scope.attributes) > attributes_max or not _are_good(scope.log_records, attributes_max):
                return None
            records += len(scope.log_records)
    return records


def refuse_bad(request: ExportLogsServiceRequest, *, attributes_max: int) -> Findings:
    """Remove the records that cannot be stored from the request, and say which and why."""
    findings = Findings()
    for number, block in enumerate(request.resource_logs):
        crowded = len(block.resource.attributes) > attributes_max
        for scope_number, scope in enumerate(block.scope_logs):
            place = f"resource_logs[{number}].scope_logs[{scope_number}].log_records"
            if crowded or len(scope.scope.attributes) > attributes_max:
                refuse_all(scope.log_records, refusal=Refusal.ATTRIBUTES, findings=findings, place=place)
            keep_good(
                scope.log_records,
                verdict=lambda record: refusal_of(record, attributes_max=attributes_max),
                findings=findings,
                place=place,
            )
    return findings


def refusal_of(record: LogRecord, *, attributes_max: int) -> Refusal | None:
    """Return why the record cannot be stored, None when it can."""
    if len(record.trace_id) not in _TRACE_ID_LENGTHS:
        return Refusal.TRACE_ID
    if len(record.span_id) not in _SPAN_ID_LENGTHS:
        return Refusal.SPAN_ID
    if record.time_unix_nano > TIME_NS_MAX or record.observed_time_unix_nano > TIME_NS_MAX:
        return Refusal.TIME
    return Refusal.ATTRIBUTES if len(record.attributes) > attributes_max else None


def _are_good(records: Iterable[LogRecord], attributes_max: int) -> bool:
    """Say whether all the records are good; the loop that every record goes through."""
    time_max, trace_id_lengths, span_id_lengths = TIME_NS_MAX, _TRACE_ID_LENGTHS, _SPAN_ID_LENGTHS
    for record in records:
        if (
            record.time_unix_nano > time_max
            or record.observed_time_unix_nano > time_max
            or len(record.trace_id) not in trace_id_lengths
            or len(record.span_id) not in span_id_lengths
            or len(record.attributes) > attributes_max
        ):
            return False
    return True
