"""Searches for what is relevant: in vectors, in text, or in both."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import Span, SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span
from homeostat.tracing.failures import FAILURES

_DEVELOPMENT: Final = Source.DEVELOPMENT
FOUND: Final = "retrieval.found.count"
TOP_SCORE: Final = "retrieval.top_score"

RETRIEVAL: Final = Family(
    "retrieval",
    "A search for documents that are relevant.",
    "`retrieval` and the source: `retrieval handbook`",
    (
        Declared("gen_ai.operation.name", Shape.TEXT, "Always `retrieval`.", _DEVELOPMENT),
        Declared("gen_ai.data_source.id", Shape.TEXT, "Index or collection.", _DEVELOPMENT),
        Declared("gen_ai.provider.name", Shape.TEXT, "Who runs it.", _DEVELOPMENT),
        Declared("gen_ai.request.model", Shape.TEXT, "Model that makes vectors of questions.", _DEVELOPMENT),
        Declared("db.system.name", Shape.TEXT, "Database behind it.", Source.STABLE),
        Declared("server.address", Shape.TEXT, "Name or address of the server.", Source.STABLE),
        Declared("server.port", Shape.INTEGER, "Port of the server.", Source.STABLE),
        Declared("retrieval.strategy", Shape.TEXT, "`vector`, `text` or `hybrid`."),
        Declared("retrieval.wanted.count", Shape.INTEGER, "Documents that were asked for."),
        Declared(FOUND, Shape.INTEGER, "Documents that were found."),
        Declared(TOP_SCORE, Shape.NUMBER, "Score of the best of them."),
        Declared("retrieval.score_min", Shape.NUMBER, "Score that a document had to have."),
        Declared("retrieval.reranker", Shape.TEXT, "What put them in order afterwards."),
        Declared("retrieval.filtered", Shape.SWITCH, "Whether not all documents were looked at."),
    ),
)


def retrieval_span(
    source: str,
    *,
    strategy: str | None = None,
    wanted: int | None = None,
    model: str | None = None,
    system: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a search; `record_retrieval` says then what was found. The question is not recorded.

    Args:
        source: index or collection.
        strategy: `vector`, `text` or `hybrid`.
        wanted: documents that are asked for.
        model: that makes a vector of the question.
        system: database behind it.
        attributes: more of the family.
    """
    return family_span(
        RETRIEVAL,
        f"retrieval {source}",
        kind=SpanKind.CLIENT,
        values={
            "gen_ai.operation.name": "retrieval",
            "gen_ai.data_source.id": source,
            "gen_ai.request.model": model,
            "db.system.name": system,
            "retrieval.strategy": strategy,
            "retrieval.wanted.count": wanted,
        },
        more=attributes,
    )


def record_retrieval(span: Span, *, found: int, top_score: float | None = None) -> None:
    """Say on a span how many documents were found, and how good the best is."""
    with FAILURES.contained("recording a search"):
        span.set_attribute(FOUND, found)
        if top_score is not None:
            span.set_attribute(TOP_SCORE, top_score)
