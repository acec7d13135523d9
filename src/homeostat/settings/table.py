"""The one table of settings of a service: each field of `Settings` is a row. It does not know what a setting is for.

`configure()` arguments, `HOMEOSTAT_*` and `OTEL_*` variables, the keys of `[tool.homeostat]` and the page
`docs/sdk/settings.md` all come from this table. `loading` says which origin wins; each value remembers its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from homeostat.settings.kinds import (
    BYTES,
    GIBIBYTE,
    INTEGER,
    KIBIBYTE,
    LIST,
    MAPPING,
    MEBIBYTE,
    NUMBER,
    OPTIONAL_NUMBER,
    OPTIONAL_PATH,
    RULES,
    SECRET,
    SECRETS,
    SWITCH,
    TEXT,
    choice,
)
from homeostat.settings.rows import DEFAULT_ORIGIN, Row, Setting, settings_of

DEFAULT_ENDPOINT: Final = "http://localhost:4318"
"""Where OTLP/HTTP is expected when nothing else is said (OpenTelemetry specification, protocol/exporter)."""

DEFAULT_GRPC_ENDPOINT: Final = "http://localhost:4317"
"""The same for OTLP/gRPC."""

PROTOCOL: Final = choice("http/protobuf", "grpc")
COMPRESSION: Final = choice("gzip", "none")
DURABILITY: Final = choice("spool", "write-ahead")
TRUST: Final = choice("all", "trace", "nothing")
GREETING: Final = choice("auto", "on", "off")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the value of every setting. Load it with `homeostat.settings.loading.load`."""

    # Who
    service: Annotated[str, Row("Name of the service; when empty, `unknown_service:` and the program.", TEXT)] = ""
    service_version: Annotated[str, Row("Version of the service.", TEXT)] = ""
    service_namespace: Annotated[str, Row("Group that the service belongs to.", TEXT)] = ""
    environment: Annotated[
        str, Row("Where it runs, such as `production`; decides the default of `sampling_ratio`.", TEXT)
    ] = "development"
    resource_attributes: Annotated[
        Mapping[str, str], Row("More attributes of the resource; those above win over them.", MAPPING)
    ] = field(default_factory=dict)

    # Whether
    enabled: Annotated[bool, Row("When off, nothing is instrumented, recorded or sent.", SWITCH)] = True
    traces: Annotated[bool, Row("When off, no spans are made.", SWITCH)] = True
    greeting: Annotated[
        str,
        Row("The five lines at the start, on stderr: `auto` prints them to a terminal only.", GREETING),
    ] = "auto"
    instrument: Annotated[
        tuple[str, ...], Row("Libraries to instrument, by name; `auto` is all that are known.", LIST)
    ] = ("auto",)
    instrument_not: Annotated[tuple[str, ...], Row("Libraries to leave alone, by name.", LIST)] = ()

    # Where to
    endpoint: Annotated[
        str, Row("Where OTLP goes; when empty, localhost at the protocol's port (4318 or 4317).", TEXT)
    ] = ""
    traces_endpoint: Annotated[
        str, Row("Full address for traces alone; nothing is appended to it. Empty: from `endpoint`.", TEXT)
    ] = ""
    protocol: Annotated[str, Row("How OTLP is sent; `grpc` needs the extra `grpc`.", PROTOCOL)] = "http/protobuf"
    api_key: Annotated[str, Row("Key of the platform, sent as a bearer token.", SECRET)] = ""
    headers: Annotated[Mapping[str, str], Row("More headers of each request; values are secrets.", SECRETS)] = field(
        default_factory=dict
    )
    compression: Annotated[
        str, Row("How bodies are compressed; `gzip` costs about 10 µs of CPU a span.", COMPRESSION)
    ] = "none"
    certificate: Annotated[
        Path | None, Row("PEM file with the authorities to trust instead of the system's.", OPTIONAL_PATH)
    ] = None
    client_certificate: Annotated[
        Path | None, Row("PEM file with the certificate to show to the receiver.", OPTIONAL_PATH)
    ] = None
    client_key: Annotated[Path | None, Row("PEM file with that certificate's private key.", OPTIONAL_PATH)] = None

    # How
    export_timeout_s: Annotated[float, Row("Time of one request.", NUMBER, 0.1, 300)] = 10.0
    export_queue_spans_max: Annotated[
        int, Row("Ended spans that wait to be encoded; more are dropped and counted.", INTEGER, 1, 1_000_000)
    ] = 2048
    export_batch_spans_max: Annotated[int, Row("Spans of one request.", INTEGER, 1, 100_000)] = 512
    export_delay_s: Annotated[float, Row("How long spans gather before they are sent.", NUMBER, 0.01, 3600)] = 5.0
    exit_budget_s: Annotated[
        float, Row("Time that the end of the process may take, all signals together.", NUMBER, 0, 5)
    ] = 5.0
    buffer: Annotated[bool, Row("Keep on disk what cannot be delivered, and deliver it later.", SWITCH)] = True
    buffer_folder: Annotated[
        Path | None,
        Row("Folder of the buffer; when empty, one for each service in the user's state folder.", OPTIONAL_PATH),
    ] = None
    buffer_bytes_max: Annotated[
        int, Row("Size of the buffer, all signals and workers; the oldest goes first.", BYTES, 64 * KIBIBYTE, GIBIBYTE)
    ] = 256 * MEBIBYTE
    buffer_durability: Annotated[
        str, Row("`spool` writes what was not delivered, `write-ahead` everything before it is sent.", DURABILITY)
    ] = "spool"
    buffer_memory_bytes_max: Annotated[
        int, Row("Size of what waits in memory where no disk takes it.", BYTES, 64 * KIBIBYTE, GIBIBYTE)
    ] = 16 * MEBIBYTE
    breaker_failures: Annotated[
        int, Row("Failures in a row after which the receiver is left alone for a while.", INTEGER, 1, 1000)
    ] = 3
    breaker_delay_s: Annotated[
        float, Row("How long that is at first; each further failure doubles it.", NUMBER, 0.01, 3600)
    ] = 1.0
    breaker_delay_s_max: Annotated[float, Row("How long it is at most.", NUMBER, 0.01, 3600)] = 30.0

    # How much
    sampling_ratio: Annotated[
        float | None,
        Row("Share of traces kept; when empty, 0.1 in production and 1 elsewhere.", OPTIONAL_NUMBER, 0, 1),
    ] = None
    sampling_rules: Annotated[
        tuple[str, ...],
        Row("Shares for routes, first match wins: `GET /health=0; /orders/*=1`.", RULES),
    ] = ()
    sampling_keep_errors: Annotated[bool, Row("Keep every request that ended in an error.", SWITCH)] = True
    sampling_slow_s: Annotated[
        float | None, Row("Keep every request that took longer; when empty, none for that.", OPTIONAL_NUMBER, 0, 3600)
    ] = None
    sampling_tail: Annotated[bool, Row("Record everything and decide at the end of each local trace.", SWITCH)] = False
    sampling_tail_spans_max: Annotated[
        int, Row("Spans of traces that are not decided yet.", INTEGER, 1, 10_000_000)
    ] = 20_000
    sampling_tail_bytes_max: Annotated[
        int, Row("Memory of traces that are not decided yet.", BYTES, 64 * KIBIBYTE, 4 * GIBIBYTE)
    ] = 64 * MEBIBYTE
    sampling_tail_age_s_max: Annotated[
        float, Row("Age at which a trace is decided by what is known then.", NUMBER, 0.1, 3600)
    ] = 30.0

    # What travels
    propagation_trust: Annotated[
        str, Row("How much of what callers send over HTTP and WebSockets is believed.", TRUST)
    ] = "all"
    propagation_correlation: Annotated[bool, Row("Correlation and causation id leave the process.", SWITCH)] = True
    propagation_tenant: Annotated[bool, Row("The tenant leaves the process, in baggage.", SWITCH)] = True
    propagation_user: Annotated[bool, Row("The user leaves the process, in baggage.", SWITCH)] = True
    propagation_threads: Annotated[bool, Row("New threads and executors get the context that starts them.", SWITCH)] = (
        True
    )
    baggage_allowed: Annotated[
        tuple[str, ...], Row("Keys of baggage that may leave the process; `*` at the end matches any rest.", LIST)
    ] = ()
    baggage_attributes: Annotated[
        tuple[str, ...], Row("Keys of baggage that are copied to attributes of spans.", LIST)
    ] = ()

    # What is hidden or left out
    redaction: Annotated[bool, Row("Take secrets out of attributes before they leave the process.", SWITCH)] = True
    redaction_names: Annotated[
        tuple[str, ...], Row("More words that announce a secret in the name of an attribute.", LIST)
    ] = ()
    redaction_visible: Annotated[tuple[str, ...], Row("Names of attributes that are never hidden.", LIST)] = ()
    redaction_patterns: Annotated[
        tuple[str, ...], Row("More regular expressions whose matches are hidden, separated by `;`.", RULES)
    ] = ()
    redaction_personal: Annotated[bool, Row("Hide e-mail addresses, too.", SWITCH)] = False
    excluded_paths: Annotated[
        tuple[str, ...], Row("Paths whose requests are not traced; `*` at the end matches any rest.", LIST)
    ] = ()

    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where each value that is not a default came from, by the setting's name; not itself a setting."""

    def origin(self, name: str) -> str:
        """Return where the value came from, such as "variable OTEL_SERVICE_NAME"."""
        return self.origins.get(name, DEFAULT_ORIGIN)

    @property
    def target(self) -> str:
        """Return the address of the receiver, the default filled in; not yet the path of a signal."""
        if self.endpoint:
            return self.endpoint
        return DEFAULT_GRPC_ENDPOINT if self.protocol == "grpc" else DEFAULT_ENDPOINT


SETTINGS: Final = settings_of(Settings)
"""Every setting, in the order of the reference page."""

SETTINGS_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}
