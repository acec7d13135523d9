import pytest

from homeostat.settings.opentelemetry import VARIABLES, Given, from_variables, ineffective_variables
from homeostat.settings.table import SETTINGS_BY_NAME


def read(**environment: str) -> tuple[dict[str, object], list[str]]:
    """Return what variables give, the last of each setting, and the problems."""
    problems: list[str] = []
    return {entry.setting: entry.value for entry in from_variables(environment, problems)}, problems


def test_every_variable_leads_to_a_setting() -> None:
    """A translation without a row would be lost."""
    assert {variable.setting for variable in VARIABLES} <= set(SETTINGS_BY_NAME)


@pytest.mark.parametrize(
    ("name", "value", "setting", "expected"),
    [
        ("OTEL_SDK_DISABLED", "TRUE", "enabled", False),
        ("OTEL_SDK_DISABLED", "1", "enabled", True),
        ("OTEL_TRACES_EXPORTER", "none", "traces", False),
        ("OTEL_TRACES_EXPORTER", "otlp", "traces", True),
        ("OTEL_BSP_SCHEDULE_DELAY", "500", "export_delay_s", 0.5),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "7", "export_timeout_s", 7.0),
        ("OTEL_SERVICE_NAME", "orders", "service", "orders"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod", "environment", "prod"),
        ("OTEL_RESOURCE_ATTRIBUTES", "a%20b=c%2Cd", "resource_attributes", {"a b": "c,d"}),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://t/x", "traces_endpoint", "http://t/x"),
    ],
)
def test_a_variable_is_translated(name: str, value: str, setting: str, expected: object) -> None:
    """Units and words are those of the specification, time-outs of exporters those of the Python SDK."""
    given, problems = read(**{name: value})
    assert (given[setting], problems) == (expected, [])


@pytest.mark.parametrize(
    ("sampler", "argument", "ratio"),
    [
        ("always_on", "", 1.0),
        ("parentbased_always_off", "", 0.0),
        ("traceidratio", "0.25", "0.25"),
        ("parentbased_traceidratio", "", 1.0),
    ],
)
def test_a_sampler_is_a_ratio(sampler: str, argument: str, ratio: object) -> None:
    """All samplers of the specification that decide by share can be said as one."""
    given, problems = read(OTEL_TRACES_SAMPLER=sampler, OTEL_TRACES_SAMPLER_ARG=argument)
    assert (given["sampling_ratio"], problems) == (ratio, [])


@pytest.mark.parametrize(
    ("environment", "problem"),
    [
        ({"OTEL_TRACES_SAMPLER": "jaeger_remote"}, "names a sampler that is not known"),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.5"}, "has no effect without OTEL_TRACES_SAMPLER"),
        ({"OTEL_BSP_SCHEDULE_DELAY": "soon"}, "cannot be read"),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "cannot be read"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "nonsense"}, "OTEL_RESOURCE_ATTRIBUTES cannot be read"),
    ],
)
def test_what_cannot_be_used_is_told(environment: dict[str, str], problem: str) -> None:
    """And gives nothing."""
    given, problems = read(**environment)
    assert given == {}
    assert problem in problems[0]


def test_the_more_specific_variable_wins() -> None:
    """For traces, those that say so."""
    given, _ = read(OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL="http/protobuf")
    assert given["protocol"] == "http/protobuf"


@pytest.mark.parametrize(("insecure", "scheme"), [("true", "http"), ("false", "https"), ("", "https")])
def test_a_bare_address_gets_its_scheme(insecure: str, scheme: str) -> None:
    """Addresses for gRPC may come without one; then a variable says whether there is TLS."""
    given, _ = read(OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317", OTEL_EXPORTER_OTLP_INSECURE=insecure)
    assert given["endpoint"] == f"{scheme}://collector:4317"


def test_an_empty_variable_is_none() -> None:
    """As the specification wants it."""
    assert read(OTEL_SERVICE_NAME="", OTEL_SDK_DISABLED="") == ({}, [])


def test_variables_without_effect_are_named() -> None:
    """Those that OpenTelemetry itself reads have theirs."""
    environment = {"OTEL_EXPORTER_JAEGER_ENDPOINT": "x", "OTEL_SPAN_EVENT_COUNT_LIMIT": "5", "PATH": "y"}
    assert ineffective_variables(environment) == (
        "The variable OTEL_EXPORTER_JAEGER_ENDPOINT has no effect: Homeostat does not read it.",
    )


def test_a_value_remembers_its_variable() -> None:
    """The doctor shows it."""
    problems: list[str] = []
    assert from_variables({"OTEL_SERVICE_NAME": "x"}, problems) == [Given("service", "x", "variable OTEL_SERVICE_NAME")]
