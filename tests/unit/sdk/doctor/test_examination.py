import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from homeostat.doctor.examination import (
    check_buffer,
    check_libraries,
    check_others,
    check_service,
    check_settings,
    check_variables,
    show_settings,
)
from homeostat.doctor.findings import Verdict
from homeostat.doctor.trial import send_test_span
from homeostat.settings.loading import load
from homeostat.settings.table import SETTINGS, Settings
from tests.receiver import Receiver, receiving
from tests.started import run_program


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """Give a receiver of spans."""
    with receiving() as found:
        yield found


def settings(environment: Mapping[str, str] | None = None, **arguments: object) -> Settings:
    """Return settings from nowhere else."""
    return load(arguments, environment=environment or {}, folder=Path("/")).settings


def test_a_service_without_a_name_is_warned_about() -> None:
    """Nobody would find it."""
    assert check_service(settings()).verdict is Verdict.WARNING
    assert check_service(settings(service="orders")).detail == "orders (development)"


def test_what_has_no_effect_is_named() -> None:
    """Values that cannot be read, values that another origin overrules, variables that nobody reads."""
    environment = {
        "OTEL_TRACES_SAMPLER": "traceidratio",
        "OTEL_TRACES_SAMPLER_ARG": "0.5",
        "HOMEOSTAT_SAMPLING_RATIO": "0.1",
        "HOMEOSTAT_EXPORT_DELAY_S": "soon",
        "HOMEOSTAT_SAMPLING_RATION": "1",
        "HOMEOSTAT_SPOOL_BYTES_MAX": "1GiB",
        "OTEL_EXPORTER_ZIPKIN_ENDPOINT": "x",
    }
    found = [
        *check_settings(load({}, environment=environment, folder=Path("/"))),
        *check_variables(environment),
    ]
    assert {one.verdict for one in found} == {Verdict.WARNING}
    assert [one.detail.partition(" ")[0] for one in found] == [
        "Cannot",
        "sampling_ratio",
        "The",
        "HOMEOSTAT_SAMPLING_RATION",
    ]
    assert "0.5 from variable OTEL_TRACES_SAMPLER_ARG has no effect" in found[1].detail
    assert "Did you mean sampling_ratio?" in found[3].detail


def test_libraries_are_told() -> None:
    """Those that are installed with what instruments them; here all that the extra knows."""
    (found,) = check_libraries(settings())
    assert found.verdict is Verdict.OK
    assert "httpx" in found.detail
    assert "nats" in found.detail
    assert list(check_libraries(settings(instrument_not=["*"]))) != []


def test_opentelemetry_instrument_beside_ours_is_a_duplicate() -> None:
    """Two providers, and every span twice."""
    environment = {"PYTHONPATH": "/x/opentelemetry/instrumentation/auto_instrumentation"}
    (found,) = check_others(environment)
    assert (found.subject, found.verdict) == ("duplicate", Verdict.WARNING)
    assert list(check_others({})) == []


def test_a_buffer_that_can_be_written_is_well(tmp_path: Path) -> None:
    """What waits in it is told."""
    folder = tmp_path / "buffer"
    assert "0 bytes waiting" in check_buffer(settings(buffer_folder=folder)).detail
    folder.mkdir()
    (folder / "segment").write_bytes(b"12345")
    found = check_buffer(settings(buffer_folder=folder))
    assert (found.verdict, "5 bytes waiting" in found.detail) == (Verdict.OK, True)


def test_a_buffer_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """Or none at all."""
    (tmp_path / "file").write_text("")
    assert "cannot be written" in check_buffer(settings(buffer_folder=tmp_path / "file" / "below")).detail
    assert check_buffer(settings(buffer=False)).detail.startswith("off")


def test_a_test_span_that_is_taken_tells_its_trace(receiver: Receiver) -> None:
    """It is the service's, so that somebody can look for it."""
    found = send_test_span(settings(service="orders", endpoint=receiver.url))
    (span,) = receiver.wait_for(1)
    assert found.verdict is Verdict.OK
    assert f"trace {span.span.trace_id.hex()}" in found.detail
    assert (span.name, span.resource["service.name"]) == ("homeostat doctor", "orders")


@pytest.mark.parametrize(
    ("status", "hint"), [(401, "HOMEOSTAT_API_KEY"), (403, "HOMEOSTAT_API_KEY"), (503, "wait in the buffer")]
)
def test_a_test_span_that_is_refused_is_a_problem(status: int, hint: str, receiver: Receiver) -> None:
    """With what can be done about it."""
    receiver.status = status
    found = send_test_span(settings(endpoint=receiver.url))
    assert found.verdict is Verdict.PROBLEM
    assert f"http_{status}" in found.detail
    assert hint in found.hint


def test_nothing_at_the_default_address_is_a_warning() -> None:
    """Nobody has said that there should be something."""
    reached = send_test_span(settings(endpoint="http://127.0.0.1:9"))
    assert (reached.verdict, "unreachable" in reached.detail) == (Verdict.PROBLEM, True)
    assert len(reached.lines()) == 2


def test_what_cannot_be_sent_at_all_is_a_problem() -> None:
    """An address that is none."""
    assert send_test_span(settings(endpoint="ftp://x")).verdict is Verdict.PROBLEM


def test_every_setting_is_shown_with_its_origin_and_without_secrets() -> None:
    """What follows from others is shown as it is in effect."""
    lines = list(show_settings(settings({"HOMEOSTAT_API_KEY": "hunter2", "HOMEOSTAT_ENVIRONMENT": "production"})))
    assert [line.split()[0] for line in lines] == [setting.name for setting in SETTINGS]
    text = "\n".join(" ".join(line.split()) for line in lines)
    assert "hunter2" not in text
    assert "api_key *** (variable HOMEOSTAT_API_KEY)" in text
    assert "sampling_ratio 0.1 (derived: production)" in text
    assert "endpoint http://localhost:4318 (derived: http/protobuf)" in text
    assert "sampling_rules none (default)" in text
    assert os.sep in text


def test_what_is_missing_is_named_with_what_to_install(tmp_path: Path) -> None:
    """A library without its contrib package; a protocol without its library."""
    program = """
        import sys
        from importlib.abc import MetaPathFinder
        class Hiding(MetaPathFinder):
            def find_spec(self, name, path, target=None):
                if name in {"grpc", "opentelemetry.instrumentation.redis"}:
                    raise ModuleNotFoundError(name=name)
        sys.meta_path.insert(0, Hiding())
        from pathlib import Path
        from homeostat.doctor.examination import check_libraries
        from homeostat.settings.loading import load
        settings = load({"protocol": "grpc"}, environment={}, folder=Path("/")).settings
        answer([line for finding in check_libraries(settings) for line in finding.lines()])
    """
    ended = run_program(program, folder=tmp_path)
    text = "\n".join(ended.answer)
    assert "warning  libraries: installed, but without their contrib package: redis" in text
    assert "PROBLEM  protocol: grpc needs grpcio" in text


def test_another_tracer_that_is_installed_is_named(tmp_path: Path) -> None:
    """Two of them in one process time each other."""
    (tmp_path / "ddtrace.py").write_text("")
    program = """
        import sys
        sys.path.insert(0, "")
        from homeostat.doctor.examination import check_others
        answer([finding.detail for finding in check_others({})])
    """
    ended = run_program(program, folder=tmp_path)
    assert ended.answer == ["ddtrace of an unknown version is installed, and may trace the same program"]
