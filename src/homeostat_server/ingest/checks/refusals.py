"""Why an item cannot be stored, counted and told to its sender. It does not look at items itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import Final

TIME_NS_MAX: Final = 2**63 - 1
"""The last nanosecond of DateTime64(9) and of a signed 64-bit count: 2262-04-11T23:47:16.854775807Z."""

TRACE_ID_BYTES: Final = 16
SPAN_ID_BYTES: Final = 8

NESTED_MAX: Final = 16_384
"""Events, links, exemplars, buckets or quantiles of one item. The engine's memory grows with them by tens of bytes
each, while the sender may need only two; real instrumentation stays below a thousand."""

_EXPLANATION_LENGTH_MAX: Final = 1_000  # the message goes into senders' logs, one for each batch


@unique
class Refusal(StrEnum):
    """Name a reason; the value is a metric label and never changes."""

    TRACE_ID = "trace_id"
    SPAN_ID = "span_id"
    PARENT_SPAN_ID = "parent_span_id"
    LINK = "link"
    TIME = "time"
    EVENT = "event"
    ATTRIBUTES = "attributes"
    NESTED = "nested"
    NAME = "name"
    BUCKETS = "buckets"
    SCALE = "scale"
    EXEMPLAR = "exemplar"


EXPLANATIONS: Final[Mapping[Refusal, str]] = {
    Refusal.TRACE_ID: "the trace_id cannot be stored: it needs 16 bytes that are not all zero (a log may have none)",
    Refusal.SPAN_ID: "the span_id cannot be stored: it needs 8 bytes that are not all zero (a log may have none)",
    Refusal.PARENT_SPAN_ID: "the parent_span_id has neither 8 bytes nor none",
    Refusal.LINK: "a link has no valid trace_id and span_id",
    Refusal.TIME: "a time stamp is missing or cannot be stored: it has to be between 1970 and 2262",
    Refusal.EVENT: "the time stamp of an event cannot be stored: it has to be before 2262",
    Refusal.ATTRIBUTES: "it has more attributes than the setting ingest_attributes_max allows",
    Refusal.NESTED: f"it has more than {NESTED_MAX} events, links, exemplars, buckets or quantiles",
    Refusal.NAME: "the metric has no name",
    Refusal.BUCKETS: "a histogram needs one bucket count more than bounds, and bounds that grow",
    Refusal.SCALE: "an exponential histogram needs a scale from -10 to 20 and buckets within the range of a double",
    Refusal.EXEMPLAR: "an exemplar has a time stamp, trace_id or span_id that cannot be stored",
}


@dataclass(slots=True)
class Findings:
    """Gather refusals of one request: how many by reason, and where the first of each was."""

    counts: dict[Refusal, int] = field(default_factory=dict)
    places: dict[Refusal, str] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Return how many items were refused."""
        return sum(self.counts.values())

    def add(self, refusal: Refusal, *, place: str, items: int = 1) -> None:
        """Count refused items; `place` is where the first of them stands in the request."""
        self.counts[refusal] = self.counts.get(refusal, 0) + items
        self.places.setdefault(refusal, place)

    def explain(self) -> str:
        """Return the reasons with their counts, the most frequent first, in a text of bounded length."""
        by_count = sorted(self.counts.items(), key=lambda entry: (-entry[1], entry[0]))
        text = "; ".join(
            f"{count} refused: {EXPLANATIONS[refusal]} (first at {self.places[refusal]})" for refusal, count in by_count
        )
        return text if len(text) <= _EXPLANATION_LENGTH_MAX else f"{text[: _EXPLANATION_LENGTH_MAX - 1]}…"
