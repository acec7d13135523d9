"""Spans of a test as they ended, from a provider of ours with any sampler."""

from collections.abc import Mapping

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler
from opentelemetry.util.types import AnyValue

from homeostat.sampling import Sampling, SamplingConfig
from homeostat.tracing.provider import LeanProvider, build_provider


class Recorder(SpanProcessor):
    """Keep ended spans in their order."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span."""
        self.ended.append(span)

    @property
    def names(self) -> list[str]:
        """Return the names in the order in which the spans ended."""
        return [span.name for span in self.ended]

    def only(self) -> ReadableSpan:
        """Return the one span; fail if there is another number of them."""
        assert len(self.ended) == 1, self.names
        return self.ended[0]

    def named(self, name: str) -> ReadableSpan:
        """Return the one span of a name."""
        found = [span for span in self.ended if span.name == name]
        assert len(found) == 1, self.names
        return found[0]


def attributes_of(span: ReadableSpan) -> dict[str, AnyValue]:
    """Return a span's attributes without the ids that differ in each run."""
    said: Mapping[str, AnyValue] = span.attributes or {}
    return {name: value for name, value in said.items() if name != "correlation.id"}


def provider_with(
    recorder: SpanProcessor, *, sampler: Sampler = ALWAYS_ON, limits: SpanLimits | None = None
) -> LeanProvider:
    """Return a provider that records into a processor."""
    return build_provider(resource=Resource({}), sampler=sampler, processors=[recorder], limits=limits)


def sampling_provider(recorder: SpanProcessor, *, ratio: float, slow_s: float | None = None) -> LeanProvider:
    """Return a provider whose refused spans are kept if they fail or are slow."""
    sampling = Sampling(SamplingConfig(ratio=ratio, slow_s=slow_s))
    return build_provider(resource=Resource({}), sampler=sampling.sampler, processors=[recorder], keeps=sampling.keeps)
