"""Random identifiers of traces and spans.

They come from a generator of their own: a program that seeds `random` to be reproducible (a training job, a test) would
otherwise give every process the same trace identifiers.
"""

import os
import random
import weakref
from typing import Final

from opentelemetry.sdk.trace.id_generator import IdGenerator

_TRACE_BITS: Final = 128
_SPAN_BITS: Final = 64


class RandomIdentifiers(IdGenerator):
    """Make identifiers of which every bit is random (W3C Trace Context level 2, `random-trace-id`)."""

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311  # identifiers are no secrets; a system call each would cost more
        self._bits = self._random.getrandbits
        if hasattr(os, "register_at_fork"):
            renew = weakref.WeakMethod(self.renew)
            os.register_at_fork(after_in_child=lambda: (method := renew()) and method())

    def generate_span_id(self) -> int:
        """Return 64 random bits that are not all zero."""
        return self._bits(_SPAN_BITS) or self.generate_span_id()

    def generate_trace_id(self) -> int:
        """Return 128 random bits that are not all zero."""
        return self._bits(_TRACE_BITS) or self.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        """Say that samplers may decide by the identifier."""
        return True

    def renew(self) -> None:
        """Start from new entropy: in a forked child, which would otherwise repeat its parent's identifiers."""
        self._random.seed()
