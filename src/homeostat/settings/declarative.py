"""OpenTelemetry's declarative configuration file, as far as it says what our table has. It knows no other origin.

What the file says beyond that is named in a sentence each, never passed over silently. Variables are substituted as the
specification wants it ("Declarative configuration: environment variable substitution"): `${NAME}`, `${env:NAME}`,
`${NAME:-default}` and `$$`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from homeostat.exceptions import ExtraMissing, SettingInvalid
from homeostat.settings.opentelemetry import Given, resource_given

_SUBSTITUTION: Final = re.compile(r"\$\$|\$\{(?:env:)?([A-Za-z_][A-Za-z0-9_]*)(?::-([^\n}]*))?\}")
_MILLISECONDS_PER_S: Final = 1000.0

_BATCH: Final = {
    "schedule_delay": "export_delay_s",
    "max_queue_size": "export_queue_spans_max",
    "max_export_batch_size": "export_batch_spans_max",
}
_OTLP: Final = {
    "endpoint": "traces_endpoint",
    "compression": "compression",
    "timeout": "export_timeout_s",
    "headers_list": "headers",
    "certificate_file": "certificate",
    "client_certificate_file": "client_certificate",
    "client_key_file": "client_key",  # pragma: allowlist secret
}
_TLS: Final = {"ca_file": "certificate", "cert_file": "client_certificate", "key_file": "client_key"}
_IN_MILLISECONDS: Final = {"schedule_delay", "timeout"}
_EXPORTERS: Final = {"otlp_http": "http/protobuf", "otlp_grpc": "grpc"}


def read_declarative(path: Path, environment: Mapping[str, str], problems: list[str]) -> list[Given]:
    """Return what a declarative file gives.

    Args:
        path: the file, YAML or JSON. JSON needs nothing; YAML needs the package PyYAML.
        environment: where substituted variables are looked up.
        problems: where sentences go about what is in the file and has no effect.

    Raises:
        SettingInvalid: the file cannot be read.
        ExtraMissing: it is YAML and PyYAML is not installed.
    """
    document = _parsed(path, _substituted(_text(path), environment))
    if not isinstance(document, Mapping):
        raise SettingInvalid("read the declarative configuration", value=str(path), hint="It holds no mapping.")
    return _Reading(str(path), problems).document(document)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SettingInvalid("read OTEL_CONFIG_FILE", value=str(path), hint=f"{error}.") from error


def _substituted(text: str, environment: Mapping[str, str]) -> str:
    def replacement(match: "re.Match[str]") -> str:
        if match[0] == "$$":
            return "$"
        return environment.get(match[1]) or match[2] or ""

    return _SUBSTITUTION.sub(replacement, text)


def _parsed(path: Path, text: str) -> object:
    return _parsed_json(path, text) if path.suffix == ".json" else _parsed_yaml(path, text)


def _parsed_json(path: Path, text: str) -> object:
    import json  # noqa: PLC0415 - only who has such a file pays for the parser

    try:
        return json.loads(text)
    except ValueError as error:
        raise SettingInvalid("read OTEL_CONFIG_FILE", value=str(path), hint=f"It is not JSON: {error}") from error


def _parsed_yaml(path: Path, text: str) -> object:
    try:
        import yaml  # noqa: PLC0415 - an optional package, and only who has such a file pays for it
    except ImportError as error:
        hint = "Install it with: pip install pyyaml. Or write the file as JSON."
        raise ExtraMissing("read OTEL_CONFIG_FILE without PyYAML", value=str(path), hint=hint) from error
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SettingInvalid("read OTEL_CONFIG_FILE", value=str(path), hint=f"It is not YAML: {error}") from error


class _Reading:
    """Walk one document, keep what the table has, and name the rest."""

    def __init__(self, path: str, problems: list[str]) -> None:
        self._origin = f"file {path}"
        self._problems = problems
        self._given: list[Given] = []

    def document(self, document: Mapping[str, Any]) -> list[Given]:
        """Return what the document gives."""
        for key, value in document.items():
            if key == "disabled":
                self._give("enabled", not value)
            elif key == "resource":
                self._resource(_mapping(value))
            elif key == "tracer_provider":
                self._provider(_mapping(value))
            elif key not in {"file_format", "propagator", "instrumentation/development"}:
                self._ignored(key)
        return self._given

    def _give(self, setting: str, value: object) -> None:
        if value is not None:
            self._given.append(Given(setting, value, self._origin))

    def _ignored(self, key: str) -> None:
        self._problems.append(f"{self._origin}: {key} has no effect: Homeostat does not read it.")

    def _resource(self, resource: Mapping[str, Any]) -> None:
        pairs = {str(entry.get("name")): str(entry.get("value")) for entry in _mappings(resource.get("attributes"))}
        listed = [pair.partition("=") for pair in str(resource.get("attributes_list") or "").split(",") if pair]
        attributes = {key.strip(): value.strip() for key, _, value in listed} | pairs
        self._given += resource_given(attributes, self._origin)
        for key in set(resource) - {"attributes", "attributes_list", "schema_url"}:
            self._ignored(f"resource.{key}")

    def _provider(self, provider: Mapping[str, Any]) -> None:
        for index, processor in enumerate(_mappings(provider.get("processors"))):
            if index == 0:
                self._processor(processor)
            else:
                self._ignored(f"tracer_provider.processors[{index}]")
        if sampler := _mapping(provider.get("sampler")):
            self._sampler(sampler)
        for key in set(provider) - {"processors", "sampler"}:
            self._ignored(f"tracer_provider.{key}")

    def _processor(self, processor: Mapping[str, Any]) -> None:
        for kind, options in processor.items():
            for key, value in _mapping(options).items():
                if key == "exporter":
                    self._exporter(_mapping(value))
                elif kind == "batch" and key in _BATCH:
                    self._give(_BATCH[key], _in_seconds(key, value))
                else:
                    self._ignored(f"tracer_provider.processors.{kind}.{key}")

    def _exporter(self, exporter: Mapping[str, Any]) -> None:
        for kind, options in exporter.items():
            if kind not in _EXPORTERS:
                self._ignored(f"tracer_provider.processors.exporter.{kind}")
                continue
            self._give("protocol", _EXPORTERS[kind])
            for key, value in _mapping(options).items():
                self._option(kind, key, value)

    def _option(self, kind: str, key: str, value: object) -> None:
        if key in _OTLP:
            self._give(_OTLP[key], _in_seconds(key, value))
        elif key == "headers":
            self._give("headers", {str(entry.get("name")): str(entry.get("value")) for entry in _mappings(value)})
        elif key == "tls":
            for name, setting in _TLS.items():
                self._give(setting, _mapping(value).get(name))
        else:
            self._ignored(f"tracer_provider.processors.exporter.{kind}.{key}")

    def _sampler(self, sampler: Mapping[str, Any]) -> None:
        for kind, options in sampler.items():
            if kind == "parent_based":
                self._sampler(_mapping(_mapping(options).get("root")) or {"always_on": None})
            elif kind in {"always_on", "always_off"}:
                self._give("sampling_ratio", 1.0 if kind == "always_on" else 0.0)
            elif kind in {"trace_id_ratio_based", "probability/development"}:
                self._give("sampling_ratio", _mapping(options).get("ratio", 1.0))
            else:
                self._ignored(f"tracer_provider.sampler.{kind}")


def _in_seconds(key: str, value: object) -> object:
    in_milliseconds = key in _IN_MILLISECONDS and isinstance(value, int | float)
    return value / _MILLISECONDS_PER_S if in_milliseconds and isinstance(value, int | float) else value


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[Mapping[str, Any]]:
    return [_mapping(entry) for entry in value] if isinstance(value, list) else []
