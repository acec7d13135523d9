"""The one table of settings: each field of `Settings` is a row. It does not know what a setting is used for.

Flags of `homeostat up`, `HOMEOSTAT_*` variables, the keys of the TOML file and the page `docs/settings.md` all come
from this table. Precedence: flag, then variable, then file, then default; each value remembers which it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final

from homeostat.settings.kinds import (
    ADDRESS,
    BYTES,
    DSN,
    GIBIBYTE,
    INTEGER,
    KIBIBYTE,
    LOG_LEVEL,
    MEBIBYTE,
    NUMBER,
    OPTIONAL_PATH,
    PATH,
    SWITCH,
    Address,
    LogLevel,
)
from homeostat.settings.rows import DEFAULT_ORIGIN, Row, Setting, settings_of

# Loopback, so that a first start is open to nobody else; the ports are those that an OpenTelemetry SDK tries by itself.
_HTTP: Final = Address("127.0.0.1", 4318)
_GRPC: Final = Address("127.0.0.1", 4317)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Hold the value of every setting. Load it with `homeostat_server.runtime.settings_loading.load_settings`."""

    # Where
    data: Annotated[Path, Row("Folder that holds everything; made when it is not there.", PATH)] = Path(
        "homeostat-data"
    )
    http: Annotated[Address, Row("Where to listen for HTTP: OTLP/HTTP, the API, health, metrics.", ADDRESS)] = _HTTP
    grpc: Annotated[Address, Row("Where to listen for OTLP/gRPC.", ADDRESS)] = _GRPC
    store: Annotated[
        str, Row("Telemetry store; when empty, the embedded engine in `telemetry` under the data folder.", DSN)
    ] = ""
    state: Annotated[str, Row("State database; when empty, SQLite in `state.sqlite` under the data folder.", DSN)] = ""
    config: Annotated[
        Path | None, Row("TOML file whose keys are the names in this table; a flag or variable only.", OPTIONAL_PATH)
    ] = None
    node: Annotated[int, Row("Number of this process, its own among all that share one store.", INTEGER, 0, 4095)] = 0
    log_level: Annotated[LogLevel, Row("How much the process says about itself.", LOG_LEVEL)] = LogLevel.INFO

    # Bounds of the write path
    ingest_body_bytes_max: Annotated[
        int, Row("Largest request body, after decompression; larger is refused (413).", BYTES, KIBIBYTE, GIBIBYTE)
    ] = 32 * MEBIBYTE
    ingest_inflight_bytes_max: Annotated[
        int,
        Row("Bodies held in memory at once; more is shed (503).", BYTES, 64 * KIBIBYTE, 64 * GIBIBYTE),
    ] = 192 * MEBIBYTE
    ingest_requests_max: Annotated[
        int, Row("Ingest requests served at once; more are shed (503).", INTEGER, 1, 1_000_000)
    ] = 1024
    ingest_attributes_max: Annotated[
        int, Row("Attributes of one item; an item with more is refused.", INTEGER, 1, 1_000_000)
    ] = 16_384
    ingest_duplicates_window_s: Annotated[
        float, Row("How long an identical body counts as a retry and is not stored again.", NUMBER, 0, 3600)
    ] = 60.0
    ingest_lag_alarm_s: Annotated[
        float, Row("Alarm when acknowledged data is not readable for so long.", NUMBER, 1, 86_400)
    ] = 30.0
    spool_bytes_max: Annotated[
        int,
        Row("Acknowledged data waiting on disk, all signals; more is refused (503).", BYTES, MEBIBYTE, 1024 * GIBIBYTE),
    ] = 2 * GIBIBYTE
    spool_segment_bytes_max: Annotated[
        int, Row("Size at which a segment is full and is stored.", BYTES, KIBIBYTE, GIBIBYTE)
    ] = 16 * MEBIBYTE
    spool_gather_ms: Annotated[
        int, Row("How long a segment gathers acknowledged requests before it is stored.", INTEGER, 0, 10_000)
    ] = 500

    # How long things are kept
    retention_ordinary_days: Annotated[int, Row("Days that ordinary telemetry is kept.", INTEGER, 1, 3650)] = 14
    retention_valued_days: Annotated[int, Row("Days that valued telemetry is kept.", INTEGER, 1, 3650)] = 30

    retention_slow_share: Annotated[
        float,
        Row("Share of each operation's traces kept as valued for being slow.", NUMBER, 0, 1),
    ] = 0.01
    retention_traces_per_operation: Annotated[
        int,
        Row("Other traces of a day and operation kept as valued.", INTEGER, 1, 1_000_000),
    ] = 200

    # Bounds of the read path and the engine
    query_timeout_s: Annotated[float, Row("Time of one query.", NUMBER, 0.1, 3600)] = 30.0
    query_rows_max: Annotated[int, Row("Rows of one query's result.", INTEGER, 1, 100_000_000)] = 500_000
    query_result_bytes_max: Annotated[int, Row("Bytes of one query's result.", BYTES, 64 * KIBIBYTE, 16 * GIBIBYTE)] = (
        256 * MEBIBYTE
    )
    query_memory_bytes_max: Annotated[
        int, Row("Memory of one query in the engine.", BYTES, 16 * MEBIBYTE, 1024 * GIBIBYTE)
    ] = 512 * MEBIBYTE
    query_concurrency_max: Annotated[int, Row("Queries that run at once; more wait, then 503.", INTEGER, 1, 256)] = 4
    engine_memory_bytes_max: Annotated[
        int, Row("Memory of the embedded engine; 0 derives it from the cgroup.", BYTES, 0, 4096 * GIBIBYTE)
    ] = 0

    # TLS
    tls_certificate: Annotated[
        Path | None, Row("PEM file with the certificate chain; turns TLS on for HTTP and gRPC.", OPTIONAL_PATH)
    ] = None
    tls_key: Annotated[Path | None, Row("PEM file with the certificate's private key.", OPTIONAL_PATH)] = None
    tls_client_ca: Annotated[
        Path | None, Row("PEM file with the authorities whose client certificates are demanded.", OPTIONAL_PATH)
    ] = None

    # About itself
    self_traces: Annotated[bool, Row("Store the platform's own traces, in the default tenant.", SWITCH)] = False
    shutdown_drain_s: Annotated[
        float, Row("How long a stop may take to store what was acknowledged; the rest waits on disk.", NUMBER, 0, 3600)
    ] = 30.0

    origins: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """Where each value that is not a default came from, by the setting's name; not itself a setting."""

    def origin(self, name: str) -> str:
        """Return where the value came from, such as "variable HOMEOSTAT_HTTP"."""
        return self.origins.get(name, DEFAULT_ORIGIN)

    @property
    def data_folder(self) -> Path:
        """Return the data folder as an absolute path."""
        return self.data.expanduser().absolute()

    @property
    def spool_folder(self) -> Path:
        """Return the folder of the spool, absolute."""
        return self.data_folder / "spool"

    @property
    def telemetry_folder(self) -> Path:
        """Return the folder of the embedded engine, absolute; the one in the DSN when there is one."""
        return Path(self.store_dsn.removeprefix("chdb://")).expanduser().absolute()

    @property
    def store_dsn(self) -> str:
        """Return the DSN of the telemetry store, the default filled in."""
        return self.store or f"chdb://{self.data_folder / 'telemetry'}"


SETTINGS: Final = settings_of(Settings)
"""Every setting, in the order of the reference page."""

SETTINGS_BY_NAME: Final[Mapping[str, Setting]] = {setting.name: setting for setting in SETTINGS}
