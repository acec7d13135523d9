"""The traces that are not decided, oldest first, and what they take. Whoever uses it holds a lock."""

from dataclasses import dataclass, field

from opentelemetry.sdk.trace import ReadableSpan

from homeostat.sampling.config import TailConfig
from homeostat.sampling.sizes import FRAGMENT_BYTES, size_bytes


@dataclass(slots=True)
class Fragment:
    """Hold what is known of one trace in this process.

    Attributes:
        born_s: when its first local root began, on the clock of the processor.
        roots_open: local roots that have not ended.
        telling: whether a span of it erred or was slow.
        size_bytes: what it takes, as estimated.
        spans: those that ended.
    """

    born_s: float
    roots_open: int = 0
    telling: bool = False
    size_bytes: int = FRAGMENT_BYTES
    spans: list[ReadableSpan] = field(default_factory=list)


class Held:
    """Hold fragments by trace, and the ids of those that were found telling."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.fragments: dict[int, Fragment] = {}
        self.telling: dict[int, None] = {}
        self.spans: int = 0
        self.size_bytes: int = 0

    def open_root(self, trace_id: int, now_s: float) -> None:
        """Note that a local root of a trace began."""
        fragment = self.fragments.get(trace_id)
        if fragment is None:
            fragment = self.fragments[trace_id] = Fragment(born_s=now_s)
            self.size_bytes += FRAGMENT_BYTES
        fragment.roots_open += 1

    def add(self, fragment: Fragment, span: ReadableSpan) -> None:
        """Add a finished span."""
        size = size_bytes(span)
        fragment.spans.append(span)
        fragment.size_bytes += size
        self.spans += 1
        self.size_bytes += size

    def oldest(self) -> int:
        """Return the trace that has been held longest; there is one."""
        return next(iter(self.fragments))

    def take(self, trace_id: int, bounds: TailConfig) -> Fragment:
        """Take a trace out that is held, and remember it when all of it is to be kept."""
        fragment = self.fragments.pop(trace_id)
        self.spans -= len(fragment.spans)
        self.size_bytes -= fragment.size_bytes
        if fragment.telling:
            self.remember(trace_id, bounds)
        return fragment

    def remember(self, trace_id: int, bounds: TailConfig) -> None:
        """Remember that all of a trace is to be kept; the longest known are forgotten beyond the bound."""
        self.telling[trace_id] = None
        while len(self.telling) > bounds.decisions_max:
            del self.telling[next(iter(self.telling))]

    def reached(self, bounds: TailConfig, now_s: float) -> str:
        """Return the name of a bound that is reached, nothing when there is none; a trace is held."""
        if self.spans > bounds.spans_max:
            return "spans"
        if self.size_bytes > bounds.bytes_max:
            return "bytes"
        return "age" if now_s - self.fragments[self.oldest()].born_s >= bounds.age_s_max else ""
