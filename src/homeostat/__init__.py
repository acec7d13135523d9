"""What a service imports. It is light and knows nothing of `homeostat_server`.

    import homeostat

    homeostat.configure("orders-api", app=app)

Names are loaded when they are first used: `import homeostat` alone costs next to nothing, and what a service does not
use it does not load. What tests of a service need is in `homeostat.testing`.
"""

import importlib
from typing import TYPE_CHECKING, Final

from homeostat.process.version import __version__

if TYPE_CHECKING:
    from homeostat.integrations.handling import processing, processing_batch
    from homeostat.propagation import (
        Correlation,
        Envelope,
        bound,
        carried,
        contained,
        current,
        detached,
        enveloped,
        opened,
    )
    from homeostat.start.configuration import configure, current_handle, instrument
    from homeostat.start.handle import Handle
    from homeostat.tracing.attributes import Declared, Family, Shape, SpanAttributes, family_span
    from homeostat.tracing.baggage import BaggageAttributes
    from homeostat.tracing.blocks import span, traced, traced_block
    from homeostat.tracing.durations import measured
    from homeostat.tracing.errors import record_error
    from homeostat.tracing.families import (
        cache_span,
        consumer_span,
        database_span,
        event_span,
        governance_span,
        http_client_span,
        inference_span,
        loop_span,
        mesh_span,
        producer_span,
        record_cache_lookup,
        record_http_response,
        record_inference_usage,
        record_retrieval,
        record_security_outcome,
        retrieval_span,
        rpc_client_span,
        rpc_server_span,
        security_span,
    )
    from homeostat.tracing.processors import add_span_processor

__all__ = [
    "BaggageAttributes",
    "Correlation",
    "Declared",
    "Envelope",
    "Family",
    "Handle",
    "Shape",
    "SpanAttributes",
    "__version__",
    "add_span_processor",
    "bound",
    "cache_span",
    "carried",
    "configure",
    "consumer_span",
    "contained",
    "current",
    "current_handle",
    "database_span",
    "detached",
    "enveloped",
    "event_span",
    "family_span",
    "governance_span",
    "http_client_span",
    "inference_span",
    "instrument",
    "loop_span",
    "measured",
    "mesh_span",
    "opened",
    "processing",
    "processing_batch",
    "producer_span",
    "record_cache_lookup",
    "record_error",
    "record_http_response",
    "record_inference_usage",
    "record_retrieval",
    "record_security_outcome",
    "retrieval_span",
    "rpc_client_span",
    "rpc_server_span",
    "security_span",
    "span",
    "traced",
    "traced_block",
]

_NAMES: Final = {
    "homeostat.integrations.handling": (
        "processing",
        "processing_batch",
    ),
    "homeostat.propagation": (
        "Correlation",
        "Envelope",
        "bound",
        "carried",
        "contained",
        "current",
        "detached",
        "enveloped",
        "opened",
    ),
    "homeostat.start.configuration": (
        "configure",
        "current_handle",
        "instrument",
    ),
    "homeostat.start.handle": ("Handle",),
    "homeostat.tracing.attributes": (
        "Declared",
        "Family",
        "Shape",
        "SpanAttributes",
        "family_span",
    ),
    "homeostat.tracing.baggage": ("BaggageAttributes",),
    "homeostat.tracing.blocks": (
        "span",
        "traced",
        "traced_block",
    ),
    "homeostat.tracing.durations": ("measured",),
    "homeostat.tracing.errors": ("record_error",),
    "homeostat.tracing.families": (
        "cache_span",
        "consumer_span",
        "database_span",
        "event_span",
        "governance_span",
        "http_client_span",
        "inference_span",
        "loop_span",
        "mesh_span",
        "producer_span",
        "record_cache_lookup",
        "record_http_response",
        "record_inference_usage",
        "record_retrieval",
        "record_security_outcome",
        "retrieval_span",
        "rpc_client_span",
        "rpc_server_span",
        "security_span",
    ),
    "homeostat.tracing.processors": ("add_span_processor",),
}
_HOMES: Final = {name: home for home, names in _NAMES.items() for name in names}

if not TYPE_CHECKING:
    # Hidden from type checkers: they would take any name for one of this module's.
    def __getattr__(name: str) -> object:
        """Load a public name from its home and keep it."""
        home = _HOMES.get(name)
        if home is None:
            message = f"module {__name__!r} has no attribute {name!r}"
            raise AttributeError(message)
        value = getattr(importlib.import_module(home), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
