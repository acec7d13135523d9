"""Models at work: generative ones by OpenTelemetry's conventions for them, and all others."""

from collections.abc import Mapping, Sequence
from typing import Final

from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, SpanAttributes, family_span
from homeostat.tracing.failures import FAILURES

_DEVELOPMENT: Final = Source.DEVELOPMENT

ML_INFERENCE: Final = Family(
    "ml-inference",
    "A model that is asked.",
    "the operation and the model: `chat gpt-4o`, `predict churn`",
    (
        Declared(
            "gen_ai.operation.name", Shape.TEXT, "`chat`, `embeddings`, `execute_tool` and the like.", _DEVELOPMENT
        ),
        Declared("gen_ai.provider.name", Shape.TEXT, "Who runs it: `openai`, `anthropic`.", _DEVELOPMENT),
        Declared("gen_ai.request.model", Shape.TEXT, "Model that was asked for.", _DEVELOPMENT),
        Declared("gen_ai.response.model", Shape.TEXT, "Model that answered.", _DEVELOPMENT),
        Declared("gen_ai.response.id", Shape.TEXT, "Answer, as its maker names it.", _DEVELOPMENT),
        Declared("gen_ai.response.finish_reasons", Shape.TEXTS, "Why it stopped, for each answer.", _DEVELOPMENT),
        Declared("gen_ai.conversation.id", Shape.TEXT, "Conversation.", _DEVELOPMENT),
        Declared("gen_ai.output.type", Shape.TEXT, "`text`, `json`, `image`, `speech`.", _DEVELOPMENT),
        Declared("gen_ai.request.max_tokens", Shape.INTEGER, "Tokens that it may write.", _DEVELOPMENT),
        Declared("gen_ai.request.temperature", Shape.NUMBER, "Temperature.", _DEVELOPMENT),
        Declared("gen_ai.request.top_p", Shape.NUMBER, "Nucleus.", _DEVELOPMENT),
        Declared("gen_ai.usage.input_tokens", Shape.INTEGER, "Tokens that it read.", _DEVELOPMENT),
        Declared("gen_ai.usage.output_tokens", Shape.INTEGER, "Tokens that it wrote.", _DEVELOPMENT),
        Declared("gen_ai.usage.cache_read.input_tokens", Shape.INTEGER, "Of those read, from a cache.", _DEVELOPMENT),
        Declared("gen_ai.agent.name", Shape.TEXT, "Agent that asks.", _DEVELOPMENT),
        Declared("gen_ai.tool.name", Shape.TEXT, "Tool that is used.", _DEVELOPMENT),
        Declared("server.address", Shape.TEXT, "Name or address of the server.", Source.STABLE),
        Declared("server.port", Shape.INTEGER, "Port of the server.", Source.STABLE),
        Declared("ml.model.name", Shape.TEXT, "Model that is not generative."),
        Declared("ml.model.version", Shape.TEXT, "Its version."),
        Declared("ml.task", Shape.TEXT, "`classification`, `regression`, `ranking`, `detection`."),
        Declared("ml.batch.size", Shape.INTEGER, "Inputs of one call."),
        Declared("ml.features.count", Shape.INTEGER, "Features of one input."),
        Declared("ml.confidence", Shape.NUMBER, "How sure it is, from 0 to 1."),
        Declared("ml.device", Shape.TEXT, "`cpu`, `cuda:0`."),
        Declared("ml.cost_usd", Shape.NUMBER, "What the call costs, in US dollars."),
    ),
)


def inference_span(
    operation: str,
    model: str,
    *,
    provider: str | None = None,
    conversation: str | None = None,
    version: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a model that is asked. Prompts and answers are never recorded by it.

    Args:
        operation: `chat`, `embeddings` and the like for a generative model; `predict` for any other.
        model: its name.
        provider: who runs a generative model; the span is a client's then. Without it, the model is one of yours.
        conversation: of a generative model.
        version: of the model.
        attributes: more of the family.
    """
    generative: dict[str, AnyValue] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": provider,
        "gen_ai.request.model": model,
        "gen_ai.conversation.id": conversation,
    }
    own: dict[str, AnyValue] = {"ml.model.name": model, "ml.model.version": version, "ml.task": operation}
    return family_span(
        ML_INFERENCE,
        f"{operation} {model}",
        kind=SpanKind.INTERNAL if provider is None else SpanKind.CLIENT,
        values=own if provider is None else {**generative, "ml.model.version": version},
        more=attributes,
    )


def record_inference_usage(
    span: Span,
    *,
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    model: str | None = None,
    finish_reasons: Sequence[str] = (),
) -> None:
    """Say on a span what an answer of a generative model took.

    Args:
        span: of the call.
        input_tokens: tokens that it read.
        output_tokens: tokens that it wrote.
        model: that answered.
        finish_reasons: why it stopped, for each answer.
    """
    said = SpanAttributes(ML_INFERENCE)
    said.put("gen_ai.usage.input_tokens", input_tokens).put("gen_ai.usage.output_tokens", output_tokens)
    said.put("gen_ai.response.model", model).put("gen_ai.response.finish_reasons", list(finish_reasons) or None)
    with FAILURES.contained("recording what a model took"):
        span.set_attributes(said.built())
