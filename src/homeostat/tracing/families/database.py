"""Questions to databases."""

from collections.abc import Mapping
from typing import Final

from opentelemetry.trace import SpanKind
from opentelemetry.util.types import AnyValue

from homeostat.tracing.active import ActiveSpan
from homeostat.tracing.attributes import Declared, Family, Shape, Source, family_span

_STABLE: Final = Source.STABLE

DATABASE: Final = Family(
    "database",
    "A question to a database.",
    "the summary, or the operation and what it is about: `SELECT orders`",
    (
        Declared("db.system.name", Shape.TEXT, "Database: `postgresql`, `mysql`, `mongodb`.", _STABLE),
        Declared("db.namespace", Shape.TEXT, "Database within the server, with its schema.", _STABLE),
        Declared("db.collection.name", Shape.TEXT, "Table or collection.", _STABLE),
        Declared("db.operation.name", Shape.TEXT, "Operation: `SELECT`, `findAndModify`.", _STABLE),
        Declared("db.operation.batch.size", Shape.INTEGER, "Operations in a batch, from two on.", _STABLE),
        Declared("db.query.text", Shape.TEXT, "Question with placeholders, never with values.", _STABLE),
        Declared("db.query.summary", Shape.TEXT, "Operations and tables of a question, in few words.", _STABLE),
        Declared("db.stored_procedure.name", Shape.TEXT, "Stored procedure.", _STABLE),
        Declared("db.response.status_code", Shape.TEXT, "Code that the database answered with.", _STABLE),
        Declared("db.response.returned_rows", Shape.INTEGER, "Rows that came back.", Source.DEVELOPMENT),
        Declared("server.address", Shape.TEXT, "Name or address of the server.", _STABLE),
        Declared("server.port", Shape.INTEGER, "Port of the server.", _STABLE),
    ),
)


def database_span(
    system: str,
    operation: str,
    *,
    collection: str | None = None,
    namespace: str | None = None,
    query: str | None = None,
    summary: str | None = None,
    attributes: Mapping[str, AnyValue] | None = None,
) -> ActiveSpan:
    """Return a span of a question to a database, for clients that are not instrumented.

    Args:
        system: `postgresql`, `mysql`, `mongodb` and the like.
        operation: `SELECT`, `findAndModify` and the like.
        collection: table or collection.
        namespace: database within the server.
        query: the question with placeholders; never one with values in it.
        summary: operations and tables in few words; becomes the span's name.
        attributes: more of the family.
    """
    target = collection or namespace
    return family_span(
        DATABASE,
        summary or (f"{operation} {target}" if target else operation),
        kind=SpanKind.CLIENT,
        values={
            "db.system.name": system,
            "db.operation.name": operation,
            "db.collection.name": collection,
            "db.namespace": namespace,
            "db.query.text": query,
            "db.query.summary": summary,
        },
        more=attributes,
    )
