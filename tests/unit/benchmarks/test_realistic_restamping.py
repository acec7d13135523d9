import io
from pathlib import Path

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.realistic import Restamper, framing
from benchmarks.realistic.__main__ import main
from benchmarks.realistic.restamping import LaneError
from benchmarks.realistic.slots import (
    BodyTemplate,
    Sections,
    Sentinels,
    SlotMismatchError,
    SlotOverflowError,
    VarintFinder,
)

NOW_NS = 1_767_225_600 * 10**9


def span_ids(restamper: Restamper, *, bodies: int, now_ns: int = NOW_NS) -> list[bytes]:
    """Return the span ids of the next bodies."""
    return [
        span.span_id
        for _ in range(bodies)
        for block in ExportTraceServiceRequest.FromString(restamper.next(now_ns).data).resource_spans
        for scope in block.scope_spans
        for span in scope.spans
    ]


def test_restamped_bodies_never_repeat_an_id() -> None:
    """Going round the templates thrice, and in another lane, gives new ids each time."""
    lanes = [Restamper("traces", bodies=4, items_per_body=64, lane=lane) for lane in (0, 1)]
    found = [one for restamper in lanes for one in span_ids(restamper, bodies=3 * restamper.bodies)]
    assert len(found) == len(set(found)) == 2 * 3 * 4 * 64


def test_restamped_spans_are_of_now() -> None:
    """Traces start within the window before the moment given."""
    restamper = Restamper("traces", bodies=2, items_per_body=64, window_s=1.0)
    request = ExportTraceServiceRequest.FromString(restamper.next(NOW_NS).data)
    starts = [
        span.start_time_unix_nano
        for block in request.resource_spans
        for scope in block.scope_spans
        for span in scope.spans
    ]
    assert min(starts) >= NOW_NS - 10**9
    assert max(starts) < NOW_NS + 60 * 10**9


def test_restamped_logs_name_restamped_spans() -> None:
    """Logs and traces of equal arguments belong together."""
    spans = set(span_ids(traces := Restamper("traces", bodies=4, items_per_body=64), bodies=traces.bodies))
    logs = Restamper("logs", bodies=4, items_per_body=64)
    named = {
        record.span_id
        for _ in range(logs.bodies)
        for block in ExportLogsServiceRequest.FromString(logs.next(NOW_NS).data).resource_logs
        for scope in block.scope_logs
        for record in scope.log_records
        if record.span_id
    }
    assert named
    assert named <= spans


def test_restamped_metrics_parse_and_advance() -> None:
    """Each round of metric bodies is the next export of the same series."""
    restamper = Restamper("metrics", bodies=1)
    first = [restamper.next(NOW_NS) for _ in range(restamper.bodies)]
    second = [restamper.next(NOW_NS + 15 * 10**9) for _ in range(restamper.bodies)]
    assert [body.items for body in first] == [body.items for body in second]
    assert all(before.data != after.data for before, after in zip(first, second, strict=True))
    request = ExportMetricsServiceRequest.FromString(second[0].data)
    times = [
        (point.start_time_unix_nano, point.time_unix_nano)
        for block in request.resource_metrics
        for scope in block.scope_metrics
        for metric in scope.metrics
        for point in metric.histogram.data_points
    ]
    assert times
    assert all(NOW_NS - 3700 * 10**9 < start < NOW_NS <= time <= NOW_NS + 15 * 10**9 for start, time in times)


def test_a_lane_that_does_not_exist_is_refused() -> None:
    """Lanes have a bound."""
    with pytest.raises(LaneError):
        Restamper("traces", lane=4096)


def test_a_lost_sentinel_is_noticed() -> None:
    """A body that shows other sentinels than were written is not stamped."""
    with pytest.raises(SlotMismatchError):
        BodyTemplate.of(
            Sentinels().raw("S", 1), items=1, written=2, sections=Sections.of({"S": 2}), varints=VarintFinder(("a",))
        )


def test_a_section_too_large_for_a_sentinel_is_noticed() -> None:
    """An index that five digits cannot name is refused."""
    with pytest.raises(SlotOverflowError):
        Sentinels().raw("S", 2**30)


@pytest.mark.parametrize("size", [0, 1, 127, 128, 20_000])
def test_frames_round_trip(size: int) -> None:
    """A file gives back the bodies that were written."""
    body = bytes(size)
    assert list(framing.bodies(io.BytesIO(framing.frame(body) * 3))) == [body] * 3


@pytest.mark.parametrize("cut", [framing.frame(bytes(300))[:-1], framing.frame(bytes(300))[:1]])
def test_a_file_cut_short_is_noticed(cut: bytes) -> None:
    """A file that ends inside a body or a length is an error."""
    with pytest.raises(framing.TruncatedError):
        list(framing.bodies(io.BytesIO(cut)))


@pytest.mark.parametrize("signal", ["traces", "logs", "metrics"])
def test_command_writes_bodies_and_prints_rates(
    signal: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command writes length-delimited bodies and one line of rates."""
    out = tmp_path / "bodies"
    assert main(["--signal", signal, "--items", "3000", "--out", str(out)]) == 0
    with out.open("rb") as file:
        assert all(len(body) > 100 for body in framing.bodies(file))
    assert f"{signal}: 3000 items" in capsys.readouterr().out


def test_command_without_a_file_prints_only(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a file the command only measures."""
    assert main(["--signal", "traces", "--items", "100"]) == 0
    assert "items/s" in capsys.readouterr().out


@pytest.mark.parametrize("items", ["0", "-5"])
def test_command_refuses_counts_below_one(items: str) -> None:
    """A count that is not positive is a usage error."""
    with pytest.raises(SystemExit):
        main(["--signal", "traces", "--items", items])
