"""TraceQL as callers of Tempo write it; what is wrong with a query is said as Tempo says it."""

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.traceql.checking import parse
from homeostat_server.query.traceql.errors import TraceqlError
from homeostat_server.query.traceql.tree import Query


def parse_query(text: str) -> Query:
    """Return the tree of a query.

    Raises:
        InvalidRequest: it is none.
        QueryLimit: it is too long, too deep, or has too many parts.
    """
    try:
        return parse(text)
    except TraceqlError as error:
        told = f"invalid TraceQL query: parse error at line {error.place.line}, col {error.place.column}"
        raise InvalidRequest(f"{told}: {error.reason}", hint=error.hint) from error
