"""A query as a condition on single spans, for questions other than searches: which values a tag has in them."""

from homeostat_server.query.binding import Binder
from homeostat_server.query.traceql.compiling import Compiler
from homeostat_server.query.traceql.planning import narrow
from homeostat_server.query.traceql.tree import Query


def conditions_of(query: Query, *, binder: Binder) -> str | None:
    """Return the condition on a row of `telemetry.spans` that the spans of a query fulfil.

    It needs the parameters of the binder and `{tenant:String}`. None when it cannot be told of single spans: the query
    is about structure, several spansets or numbers of a spanset, or about the trace that a span is in.
    """
    compiler = Compiler(binder)
    narrowing = narrow(query.pipeline, compiler)
    if not narrowing.is_of_spans or narrowing.rows is None or compiler.joins:
        return None
    return narrowing.rows.sql
