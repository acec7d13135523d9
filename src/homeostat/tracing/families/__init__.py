"""Eleven families of spans: each declares what its spans may say, and has a helper that makes them.

The page `docs/sdk/span_families.md` is made from `FAMILIES`.
"""

from typing import Final

from homeostat.tracing.attributes import Family
from homeostat.tracing.families.autonomic_loop import AUTONOMIC_LOOP, loop_span
from homeostat.tracing.families.cache import CACHE, cache_span, record_cache_lookup
from homeostat.tracing.families.database import DATABASE, database_span
from homeostat.tracing.families.event_processing import EVENT_PROCESSING, event_span
from homeostat.tracing.families.http import HTTP, http_client_span, record_http_response
from homeostat.tracing.families.mesh_network import MESH_NETWORK, mesh_span
from homeostat.tracing.families.messaging import MESSAGING, consumer_span, producer_span
from homeostat.tracing.families.ml_inference import ML_INFERENCE, inference_span, record_inference_usage
from homeostat.tracing.families.retrieval import RETRIEVAL, record_retrieval, retrieval_span
from homeostat.tracing.families.rpc import RPC, rpc_client_span, rpc_server_span
from homeostat.tracing.families.security import SECURITY, governance_span, record_security_outcome, security_span

FAMILIES: Final[tuple[Family, ...]] = (
    HTTP,
    RPC,
    DATABASE,
    CACHE,
    MESSAGING,
    EVENT_PROCESSING,
    ML_INFERENCE,
    RETRIEVAL,
    AUTONOMIC_LOOP,
    MESH_NETWORK,
    SECURITY,
)

__all__ = [
    "AUTONOMIC_LOOP",
    "CACHE",
    "DATABASE",
    "EVENT_PROCESSING",
    "FAMILIES",
    "HTTP",
    "MESH_NETWORK",
    "MESSAGING",
    "ML_INFERENCE",
    "RETRIEVAL",
    "RPC",
    "SECURITY",
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
]
