"""Where telemetry goes and within which bounds, as values. It reads no setting: `start` makes it from them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal
from urllib.parse import SplitResult, urlsplit

from homeostat.exceptions import SettingInvalid

Protocol = Literal["http/protobuf", "grpc"]
Compression = Literal["none", "gzip"]
Durability = Literal["spool", "write-ahead"]

_PROTOCOLS: Final = ("http/protobuf", "grpc")
_COMPRESSIONS: Final = ("none", "gzip")
_DURABILITIES: Final = ("spool", "write-ahead")
_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """Say where telemetry goes and within which bounds.

    Args:
        endpoint: base URL of the receiver, `http://localhost:4318`; `/v1/traces` and so on are put behind it.
        signal_endpoints: whole URLs by signal (`traces`, `logs`, `metrics`) where one goes elsewhere.
        protocol: OTLP over HTTP, or over gRPC, which needs the extra `grpc`.
        headers: sent with every request, such as `Authorization`.
        compression: gzip costs about 1 us a span.
        certificate: file of the authorities to trust instead of the system's.
        client_certificate: file of the certificate to show.
        client_key: file of its key; not needed where the certificate's file has it.
        timeout_s: how long one request may take.
        queue_spans: how many ended spans may wait to be encoded; further ones are dropped and counted.
        batch_spans: how many spans go into one request, and at how many the worker is woken.
        delay_s: how long a span waits at most until it is encoded.
        spool_folder: where what could not be delivered waits; `None` keeps it in memory.
        spool_bytes_max: how many bytes all processes that share the folder may keep there.
        memory_bytes_max: how many bytes wait in memory where no disk takes them.
        durability: `spool` writes what the backend did not take; `write-ahead` writes everything before it is sent.
        write_ahead_delay_s: `delay_s` of `write-ahead`: what a killed process loses at most.
        breaker_failures: after how many failures in a row the backend is left alone.
        breaker_delay_s: how long it is left alone at first; each further failure doubles that.
        breaker_delay_max_s: and how long at most.
        exit_budget_s: how long the end of the process may take for this.

    Raises:
        SettingInvalid: a value is none of those that are possible.
    """

    endpoint: str = "http://localhost:4318"
    signal_endpoints: Mapping[str, str] = field(default_factory=dict)
    protocol: Protocol = "http/protobuf"
    headers: Mapping[str, str] = field(default_factory=dict)
    compression: Compression = "none"
    certificate: Path | None = None
    client_certificate: Path | None = None
    client_key: Path | None = None
    timeout_s: float = 10.0
    queue_spans: int = 2048
    batch_spans: int = 512
    delay_s: float = 5.0
    spool_folder: Path | None = None
    spool_bytes_max: int = 256 << 20
    memory_bytes_max: int = 16 << 20
    durability: Durability = "spool"
    write_ahead_delay_s: float = 0.2
    breaker_failures: int = 3
    breaker_delay_s: float = 1.0
    breaker_delay_max_s: float = 30.0
    exit_budget_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what cannot work, before a thread finds out."""
        _choose("protocol", self.protocol, _PROTOCOLS)
        _choose("compression", self.compression, _COMPRESSIONS)
        _choose("durability", self.durability, _DURABILITIES)
        for endpoint in (self.endpoint, *self.signal_endpoints.values()):
            split_endpoint(endpoint)
        for name in ("queue_spans", "batch_spans", "timeout_s", "delay_s", "spool_bytes_max", "memory_bytes_max"):
            if getattr(self, name) <= 0:
                raise SettingInvalid(f"use {name}", value=getattr(self, name), hint="It has to be more than 0.")

    @property
    def gather_delay_s(self) -> float:
        """Return how long a span waits at most until it is encoded."""
        return min(self.delay_s, self.write_ahead_delay_s) if self.durability == "write-ahead" else self.delay_s

    def url(self, signal: str) -> SplitResult:
        """Return where a signal goes over HTTP."""
        if signal in self.signal_endpoints:
            return split_endpoint(self.signal_endpoints[signal])
        base = split_endpoint(self.endpoint)
        return base._replace(path=f"{base.path.rstrip('/')}/v1/{signal}")


def split_endpoint(endpoint: str) -> SplitResult:
    """Return the parts of a URL that telemetry can be sent to.

    Raises:
        SettingInvalid: it is no URL, or one of another kind.
    """
    refusal = SettingInvalid("use the endpoint", value=endpoint, hint="It looks like http://localhost:4318.")
    try:
        url = urlsplit(endpoint)
        is_usable = url.scheme in _SCHEMES and bool(url.hostname) and url.port != 0
    except ValueError as error:
        raise refusal from error
    if not is_usable:
        raise refusal
    return url


def _choose(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingInvalid(f"use {name}", value=value, hint=f"It is one of {', '.join(allowed)}.")
