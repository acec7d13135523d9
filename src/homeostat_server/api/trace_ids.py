"""Which trace id a failed request is told, so that its caller and we look for the same one. It stores nothing."""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import format_trace_id, get_current_span

# version-traceid-parentid-flags, https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def trace_id_of(headers: Mapping[str, str]) -> str:
    """Return the trace id of our own span, else that the request came with, else a new one; 32 hexadecimal digits."""
    own = get_current_span().get_span_context()
    if own.is_valid:
        return format_trace_id(own.trace_id)
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return match[1] if match else secrets.token_hex(16)
