"""The arguments of `configure()`, typed: one for each row of the table of settings. A test compares the two."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import TypedDict


class Arguments(TypedDict, total=False):
    """Hold what can be given to `configure()` beside the name of the service; `docs/sdk/settings.md` explains each."""

    service_version: str
    service_namespace: str
    environment: str
    resource_attributes: Mapping[str, str]
    enabled: bool
    traces: bool
    greeting: str
    instrument: Sequence[str]
    instrument_not: Sequence[str]
    endpoint: str
    traces_endpoint: str
    protocol: str
    api_key: str
    headers: Mapping[str, str]
    compression: str
    certificate: str | PathLike[str]
    client_certificate: str | PathLike[str]
    client_key: str | PathLike[str]
    export_timeout_s: float
    export_queue_spans_max: int
    export_batch_spans_max: int
    export_delay_s: float
    exit_budget_s: float
    buffer: bool
    buffer_folder: str | PathLike[str]
    buffer_bytes_max: int | str
    buffer_durability: str
    buffer_memory_bytes_max: int | str
    breaker_failures: int
    breaker_delay_s: float
    breaker_delay_s_max: float
    sampling_ratio: float
    sampling_rules: Sequence[str]
    sampling_keep_errors: bool
    sampling_slow_s: float
    sampling_tail: bool
    sampling_tail_spans_max: int
    sampling_tail_bytes_max: int | str
    sampling_tail_age_s_max: float
    propagation_trust: str
    propagation_correlation: bool
    propagation_tenant: bool
    propagation_user: bool
    propagation_threads: bool
    baggage_allowed: Sequence[str]
    baggage_attributes: Sequence[str]
    redaction: bool
    redaction_names: Sequence[str]
    redaction_visible: Sequence[str]
    redaction_patterns: Sequence[str]
    redaction_personal: bool
    excluded_paths: Sequence[str]
