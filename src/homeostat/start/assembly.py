"""The composition root: each part is built here once, in this order, from the settings. It has no rule of its own.

    identity → resource → redaction → export → sampling → provider → propagation → hooks of the process

Invariant: nothing here starts a thread or opens a connection: the export does at the first span, so that a process that
forks first, or never records anything, costs nothing.
"""

import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from opentelemetry import trace
from opentelemetry.propagate import set_global_textmap
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import ProxyTracerProvider

from homeostat.exceptions import SettingInvalid
from homeostat.export.config import ExportConfig
from homeostat.export.exporting import Exporting
from homeostat.process.budget import ExitBudget
from homeostat.process.identity import Identity, new_identity
from homeostat.propagation import PropagationConfig, Propagator, carry_into_threads
from homeostat.propagation.propagator import Trust
from homeostat.redaction import RedactionConfig, Redactor
from homeostat.sampling import RouteRule, Sampling, SamplingConfig, TailConfig, default_ratio
from homeostat.settings.table import Settings
from homeostat.start.resource import make_resource, service_name
from homeostat.tracing.baggage import BaggageAttributes
from homeostat.tracing.identifiers import RandomIdentifiers
from homeostat.tracing.provider import LeanProvider, build_provider

_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(slots=True, kw_only=True)
class Assembly:
    """Hold the parts of a configured process."""

    settings: Settings
    identity: Identity
    exporting: Exporting
    sampling: Sampling
    provider: TracerProvider
    propagator: Propagator
    budget: ExitBudget
    is_provider_foreign: bool
    """Whether somebody had set a tracer provider before: spans are its own, and go to our receiver as well."""


def assemble(settings: Settings, problems: list[str]) -> Assembly:
    """Build everything from the settings and make it OpenTelemetry's global choice.

    Args:
        settings: of the process.
        problems: where sentences go about what was passed over.

    Raises:
        HomeostatError: a value makes no sense to the room that it is for, and there is no safe way without it.
    """
    identity = new_identity()
    resource = make_resource(settings, identity)
    redactor = Redactor(redaction_config(settings))
    exporting = Exporting(export_config(settings), resource=resource, redactor=redactor)
    sampling = Sampling(sampling_config(settings, problems))
    before = trace.get_tracer_provider()
    is_foreign = isinstance(before, TracerProvider)
    # The weights are those of our sampler; where another one decides they would be wrong.
    processor = sampling.tail(exporting.span_processor, weighs=not is_foreign)
    if isinstance(before, TracerProvider):
        before.add_span_processor(processor)
        provider = before
    else:
        provider = build_provider(
            resource=resource,
            sampler=sampling.sampler,
            processors=(processor,),
            keeps=sampling.keeps,
        )
        if isinstance(before, ProxyTracerProvider):
            trace.set_tracer_provider(provider)
    if settings.baggage_attributes:
        provider.add_span_processor(BaggageAttributes(settings.baggage_attributes))
    propagator = Propagator(propagation_config(settings))
    set_global_textmap(propagator)
    if settings.propagation_threads:
        carry_into_threads()
    return Assembly(
        settings=settings,
        identity=identity,
        exporting=exporting,
        sampling=sampling,
        provider=provider,
        propagator=propagator,
        budget=ExitBudget(settings.exit_budget_s),
        is_provider_foreign=is_foreign,
    )


def identify(parts: Assembly, settings: Settings) -> None:
    """Let what is recorded from now on, and what was not sent yet, say who this is by these settings."""
    parts.settings = settings
    resource = make_resource(settings, parts.identity)
    if isinstance(parts.provider, LeanProvider):
        parts.provider.identify(resource)
        parts.exporting.identify(resource)


def renew(parts: Assembly) -> None:
    """Make the parts a forked child's own: another identity, another resource, empty queues, a whole exit budget."""
    parts.identity = new_identity()
    parts.budget = ExitBudget(parts.settings.exit_budget_s)
    resource = make_resource(parts.settings, parts.identity)
    if isinstance(parts.provider, LeanProvider):
        parts.provider.renew(resource)
    if isinstance(parts.provider.id_generator, RandomIdentifiers):
        # It sees forks by itself, but for those that Python does not.
        parts.provider.id_generator.renew()
    parts.sampling.after_fork_in_child()
    parts.exporting.after_fork_in_child(resource)


def export_config(settings: Settings) -> ExportConfig:
    """Return what the export needs to know."""
    key = {"authorization": f"Bearer {settings.api_key}"} if settings.api_key else {}
    return ExportConfig(
        # gRPC has one address for all signals: the path says which.
        endpoint=traces_address(settings) if settings.protocol == "grpc" else settings.target,
        signal_endpoints={"traces": settings.traces_endpoint} if settings.traces_endpoint else {},
        protocol="grpc" if settings.protocol == "grpc" else "http/protobuf",
        headers={**settings.headers, **key},
        compression="gzip" if settings.compression == "gzip" else "none",
        certificate=settings.certificate,
        client_certificate=settings.client_certificate,
        client_key=settings.client_key,
        timeout_s=settings.export_timeout_s,
        queue_spans=settings.export_queue_spans_max,
        batch_spans=min(settings.export_batch_spans_max, settings.export_queue_spans_max),
        delay_s=settings.export_delay_s,
        spool_folder=buffer_folder(settings),
        spool_bytes_max=settings.buffer_bytes_max,
        memory_bytes_max=settings.buffer_memory_bytes_max,
        durability="write-ahead" if settings.buffer_durability == "write-ahead" else "spool",
        breaker_failures=settings.breaker_failures,
        breaker_delay_s=settings.breaker_delay_s,
        breaker_delay_max_s=max(settings.breaker_delay_s_max, settings.breaker_delay_s),
        exit_budget_s=settings.exit_budget_s,
    )


def traces_address(settings: Settings) -> str:
    """Return where spans go, for a reader."""
    if settings.protocol == "grpc":
        return settings.traces_endpoint or settings.target
    return settings.traces_endpoint or f"{settings.target.rstrip('/')}/v1/traces"


def buffer_folder(settings: Settings, environment: Mapping[str, str] | None = None) -> Path | None:
    """Return the folder of the buffer, the default filled in; None when there is none.

    The default is the user's state folder (XDG Base Directory Specification), a folder a service, so that what one
    process of a service leaves behind is sent by the next one, wherever the receiver has moved to meanwhile.
    """
    if not settings.buffer:
        return None
    if settings.buffer_folder is not None:
        return settings.buffer_folder
    variables = os.environ if environment is None else environment
    state = variables.get("XDG_STATE_HOME") or str(Path(variables.get("HOME") or tempfile.gettempdir(), ".local/state"))
    return Path(state, "homeostat", _NOT_IN_A_NAME.sub("_", service_name(settings)))


def sampling_config(settings: Settings, problems: list[str]) -> SamplingConfig:
    """Return what sampling needs to know; rules that are none are told and passed over."""
    tail = TailConfig(
        spans_max=settings.sampling_tail_spans_max,
        bytes_max=settings.sampling_tail_bytes_max,
        age_s_max=settings.sampling_tail_age_s_max,
    )
    return SamplingConfig(
        ratio=ratio_of(settings),
        rules=tuple(_rules(settings.sampling_rules, problems)),
        keep_errors=settings.sampling_keep_errors,
        slow_s=settings.sampling_slow_s or None,
        tail=tail if settings.sampling_tail else None,
    )


def _rules(texts: Iterable[str], problems: list[str]) -> Iterator[RouteRule]:
    for text in texts:
        try:
            yield RouteRule.parse(text)
        except SettingInvalid as error:
            problems.append(f"Cannot {error}; it was ignored.")


def ratio_of(settings: Settings) -> float:
    """Return the share of traces kept, the environment's default filled in."""
    return default_ratio(settings.environment) if settings.sampling_ratio is None else settings.sampling_ratio


def propagation_config(settings: Settings) -> PropagationConfig:
    """Return what propagation needs to know."""
    return PropagationConfig(
        baggage_allowed=settings.baggage_allowed,
        correlation_leaves=settings.propagation_correlation,
        tenant_leaves=settings.propagation_tenant,
        user_leaves=settings.propagation_user,
        http_trust=Trust(settings.propagation_trust),
    )


def redaction_config(settings: Settings) -> RedactionConfig:
    """Return what redaction needs to know."""
    return RedactionConfig(
        enabled=settings.redaction,
        names=settings.redaction_names,
        visible=settings.redaction_visible,
        patterns=settings.redaction_patterns,
        personal=settings.redaction_personal,
    )
