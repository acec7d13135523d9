"""Which trace id a failed request is told: the caller's, so that both look for the same one. It stores nothing."""

import re
import secrets
from collections.abc import Mapping
from typing import Final

# version-traceid-parentid-flags, https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")


def trace_id_of(headers: Mapping[str, str]) -> str:
    """Return the trace id that the request came with, a new one when it came with none; 32 hexadecimal digits."""
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return match[1] if match else secrets.token_hex(16)
