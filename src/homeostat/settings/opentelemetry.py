"""What OpenTelemetry's own variables mean in our table. It does not know which origin wins.

Names and units are those of the specification ("Environment Variable Specification", 1.4x); where the Python SDK reads
one differently (time-outs of exporters in seconds), so do we, because that is what is set in deployments of today.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from homeostat.settings.kinds import MAPPING

_MILLISECONDS_PER_S: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Given:
    """Hold one value before it is parsed: for which setting, and where it was found."""

    setting: str
    value: object
    origin: str


@dataclass(frozen=True, slots=True)
class Variable:
    """Translate one variable into a setting's value; `read` raises ValueError for what it cannot read."""

    name: str
    setting: str
    read: Callable[[str], object] = str


def _seconds(text: str) -> float:
    return float(text) / _MILLISECONDS_PER_S


def _inverted(text: str) -> object:
    # The specification: only "true", in any case, is true.
    return text.strip().lower() != "true"


def _exporter(text: str) -> bool:
    words = {word.strip().lower() for word in text.split(",")}
    if words <= {"otlp", "none"}:
        return "otlp" in words
    raise ValueError(text)


def _both(general: str, specific: str, setting: str, read: Callable[[str], object] = str) -> tuple[Variable, ...]:
    return (Variable(general, setting, read), Variable(specific, setting, read))


VARIABLES: Final = (
    Variable("OTEL_SDK_DISABLED", "enabled", _inverted),
    Variable("OTEL_TRACES_EXPORTER", "traces", _exporter),
    *_both("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "protocol"),
    Variable("OTEL_EXPORTER_OTLP_ENDPOINT", "endpoint"),
    Variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "traces_endpoint"),
    *_both("OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "headers"),
    *_both("OTEL_EXPORTER_OTLP_COMPRESSION", "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "compression"),
    *_both("OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "export_timeout_s", float),
    *_both("OTEL_EXPORTER_OTLP_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE", "certificate"),
    *_both(
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE", "client_certificate"
    ),
    *_both("OTEL_EXPORTER_OTLP_CLIENT_KEY", "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY", "client_key"),
    Variable("OTEL_BSP_MAX_QUEUE_SIZE", "export_queue_spans_max"),
    Variable("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "export_batch_spans_max"),
    Variable("OTEL_BSP_SCHEDULE_DELAY", "export_delay_s", _seconds),
    Variable("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "instrument_not"),
)
"""Each variable that says one thing, the more specific after the more general, so that it wins."""

_SAMPLER_NAMES: Final = {
    "always_on": 1.0,
    "parentbased_always_on": 1.0,
    "always_off": 0.0,
    "parentbased_always_off": 0.0,
}
_RATIO_SAMPLERS: Final = {"traceidratio", "parentbased_traceidratio"}

READ_BY_OPENTELEMETRY: Final = frozenset(
    {
        "OTEL_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT",
        "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT",
        "OTEL_SPAN_EVENT_COUNT_LIMIT",
        "OTEL_SPAN_LINK_COUNT_LIMIT",
        "OTEL_SEMCONV_STABILITY_OPT_IN",
    }
)
"""Variables that the OpenTelemetry SDK and the contrib packages read by themselves: they have their effect."""

READ_ELSEWHERE: Final = frozenset(
    {
        "OTEL_CONFIG_FILE",
        "OTEL_SERVICE_NAME",
        "OTEL_RESOURCE_ATTRIBUTES",
        "OTEL_TRACES_SAMPLER",
        "OTEL_TRACES_SAMPLER_ARG",
        "OTEL_PROPAGATORS",
    }
)
"""Variables that are read here, but not one for one."""


def from_variables(environment: Mapping[str, str], problems: list[str]) -> list[Given]:
    """Return what the variables give, a later one winning over an earlier one; an empty variable is none.

    Args:
        environment: the process's variables.
        problems: where sentences go about variables that could not be read, which are then passed over.
    """
    given = [*_resource(environment, problems), *_service(environment)]
    for variable in VARIABLES:
        text = environment.get(variable.name)
        if not text:
            continue
        try:
            given.append(Given(variable.setting, variable.read(text), f"variable {variable.name}"))
        except ValueError:
            problems.append(f"The variable {variable.name} cannot be read and was ignored: {text!r}.")
    return [*given, *_insecure(environment, given), *_sampler(environment, problems)]


def ineffective_variables(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return a sentence for each `OTEL_*` variable about traces or all signals that has no effect here."""
    known = {variable.name for variable in VARIABLES} | READ_BY_OPENTELEMETRY | READ_ELSEWHERE | set(_INSECURE)
    return tuple(
        f"The variable {name} has no effect: Homeostat does not read it."
        for name in sorted(environment)
        if name.startswith("OTEL_") and name not in known
    )


_RESOURCE_SETTINGS: Final = {
    "service.name": "service",
    "service.version": "service_version",
    "service.namespace": "service_namespace",
    "deployment.environment": "environment",
    "deployment.environment.name": "environment",
}


def resource_given(attributes: Mapping[str, str], origin: str) -> list[Given]:
    """Return resource attributes as settings: those that have a setting of their own, and the rest together."""
    own = [
        Given(_RESOURCE_SETTINGS[key], value, origin) for key, value in attributes.items() if key in _RESOURCE_SETTINGS
    ]
    rest = {key: value for key, value in attributes.items() if key not in _RESOURCE_SETTINGS}
    return [*own, Given("resource_attributes", rest, origin)] if rest else own


def _resource(environment: Mapping[str, str], problems: list[str]) -> list[Given]:
    text = environment.get("OTEL_RESOURCE_ATTRIBUTES")
    if not text:
        return []
    try:
        attributes = MAPPING.parse(text)
    except ValueError:
        # The specification: on any error the whole value is discarded.
        problems.append("The variable OTEL_RESOURCE_ATTRIBUTES cannot be read and was ignored.")
        return []
    return resource_given(attributes, "variable OTEL_RESOURCE_ATTRIBUTES")


def _service(environment: Mapping[str, str]) -> list[Given]:
    name = environment.get("OTEL_SERVICE_NAME")
    return [Given("service", name, "variable OTEL_SERVICE_NAME")] if name else []


_INSECURE: Final = ("OTEL_EXPORTER_OTLP_INSECURE", "OTEL_EXPORTER_OTLP_TRACES_INSECURE")


def _insecure(environment: Mapping[str, str], given: list[Given]) -> list[Given]:
    """Put the scheme before a gRPC address that has none, as the variable says; without it TLS is meant."""
    words = [environment[name].strip().lower() for name in _INSECURE if environment.get(name)]
    scheme = "http" if words and words[-1] == "true" else "https"
    return [
        Given(entry.setting, f"{scheme}://{entry.value}", entry.origin)
        for entry in given
        if entry.setting in {"endpoint", "traces_endpoint"} and "://" not in str(entry.value)
    ]


def _sampler(environment: Mapping[str, str], problems: list[str]) -> list[Given]:
    name = environment.get("OTEL_TRACES_SAMPLER", "").strip().lower()
    argument = environment.get("OTEL_TRACES_SAMPLER_ARG", "").strip()
    if not name:
        if argument:
            problems.append("The variable OTEL_TRACES_SAMPLER_ARG has no effect without OTEL_TRACES_SAMPLER.")
        return []
    if name in _SAMPLER_NAMES:
        return [Given("sampling_ratio", _SAMPLER_NAMES[name], "variable OTEL_TRACES_SAMPLER")]
    if name in _RATIO_SAMPLERS:
        return [Given("sampling_ratio", argument or 1.0, "variable OTEL_TRACES_SAMPLER_ARG")]
    problems.append(f"The variable OTEL_TRACES_SAMPLER names a sampler that is not known and was ignored: {name!r}.")
    return []
