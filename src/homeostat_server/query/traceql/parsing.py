"""Text to tree. It knows the grammar and the words, not what they mean.

The parser keeps its own stack and builds the tree as it reads, so that no text, however nested, can exhaust Python's.
"""

from difflib import get_close_matches
from functools import cache
from typing import Final, cast

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from homeostat_server.exceptions import QueryLimit
from homeostat_server.query.traceql.building import Builder
from homeostat_server.query.traceql.errors import Place, TraceqlError
from homeostat_server.query.traceql.names import (
    AGGREGATES,
    COUNTING,
    FUNCTIONS,
    INTRINSIC_WORDS,
    KIND_CODES,
    MEASURING,
    RANKS,
    STATUS_CODES,
    UNSUPPORTED_WORDS,
    VALUE_WORDS,
)
from homeostat_server.query.traceql.tree import Query

LENGTH_MAX: Final = 8_192
"""Characters of a query; what people write has some hundreds."""

EXPECTED_SHOWN_MAX: Final = 8

_TERMINALS: Final = {
    **dict.fromkeys(INTRINSIC_WORDS, "INTRINSIC"),
    **dict.fromkeys(UNSUPPORTED_WORDS, "UNSUPPORTED"),
    **dict.fromkeys(STATUS_CODES, "STATUS"),
    **dict.fromkeys(KIND_CODES, "KIND"),
    **dict.fromkeys(AGGREGATES, "AGGREGATE"),
    **dict.fromkeys(COUNTING, "COUNTING"),
    **dict.fromkeys(MEASURING, "MEASURING"),
    **dict.fromkeys(RANKS, "RANK"),
    "count": "COUNT",
    "quantile_over_time": "QUANTILE",
    "compare": "COMPARE",
    "true": "TRUE",
    "false": "FALSE",
    "nil": "NIL",
    "by": "BY",
    "select": "SELECT",
    "coalesce": "COALESCE",
    "with": "WITH",
}
_SHOWN: Final = {
    "$END": "the end",
    "_PIPE": "|",
    "OPEN": "{",
    "CLOSE": "}",
    "LPAR": "(",
    "RPAR": ")",
    "COMMA": ",",
    "AND": "&&",
    "OR": "||",
    "ATTRIBUTE": "an attribute",
    "INTRINSIC": "an intrinsic",
    "STRING": "a text",
    "INTEGER": "a number",
    "REAL": "a number",
    "DURATION": "a duration",
    "COUNT": "an aggregate",
    "AGGREGATE": "an aggregate",
    "COUNTING": "a metric",
    "MEASURING": "a metric",
    "QUANTILE": "a metric",
    "COMPARE": "a metric",
    "RANK": "topk or bottomk",
    "BY": "by",
    "SELECT": "select",
    "COALESCE": "coalesce",
    "WITH": "with",
    "WORD": "a name",
}
"""What is said of a terminal that was expected; the others (operators, values) are many and tell nothing new."""

_VALUES: Final = frozenset({"a text", "a number", "a duration"})


def parse_tree(text: str) -> Query:
    """Return the tree of a query; its types are not checked yet.

    Raises:
        TraceqlError: it is not TraceQL; the error says where and what was expected.
        QueryLimit: it is too long.
    """
    if len(text) > LENGTH_MAX:
        raise QueryLimit(
            "read the TraceQL query", value=f"{len(text)} characters", hint=f"It has at most {LENGTH_MAX}."
        )
    try:
        query = _parser().parse(text)
    except UnexpectedInput as error:
        raise _syntax_error(error, text) from None
    assert isinstance(query, Query)
    return query


@cache
def _parser() -> Lark:
    return Lark.open(
        "grammar.lark",
        rel_to=__file__,
        start="query",
        parser="lalr",
        lexer="basic",
        lexer_callbacks={"WORD": _classify},
        transformer=Builder(),
    )


def _classify(token: Token) -> Token:
    return token.update(type=_TERMINALS.get(token.value, "WORD"))


def _syntax_error(error: UnexpectedInput, text: str) -> TraceqlError:
    if isinstance(error, UnexpectedToken):
        return _unexpected_token(error, text)
    assert isinstance(error, UnexpectedCharacters)
    offset = cast("int", error.pos_in_stream)
    place = Place(offset, error.line, error.column)
    near = text[offset:]
    if near[0] in '"`':
        return TraceqlError("a text that does not end", place=place, near=near, hint="Close it with the same quote.")
    return TraceqlError(f"unexpected {near[0]!r}", place=place, near=near, hint=_DOUBLED.get(near[0], ""))


_DOUBLED: Final = {"&": "Write && between conditions.", "'": 'Texts stand in double quotes or backticks: "x" or `x`.'}


def _unexpected_token(error: UnexpectedToken, text: str) -> TraceqlError:
    token: Token = error.token
    if token.type == "$END":
        lines = text.split("\n")
        place = Place(len(text), len(lines), len(lines[-1]) + 1)
        return TraceqlError("the query ends too early", place=place, hint=_expectation(error.expected))
    assert token.start_pos is not None
    assert token.line is not None
    assert token.column is not None
    place = Place(token.start_pos, token.line, token.column)
    near = text[token.start_pos :]
    if token.type == "WORD":
        return TraceqlError(f"unknown name {token.value}", place=place, near=near, hint=_nearest(token.value))
    if token.type == "EQ" and text[: token.start_pos].endswith("="):
        return TraceqlError("unexpected =", place=place, near=near, hint="Equality is written with one =.")
    return TraceqlError(f"unexpected {token.value}", place=place, near=near, hint=_expectation(error.expected))


def _expectation(expected: set[str]) -> str:
    shown = {_SHOWN[name] for name in expected if name in _SHOWN}
    if shown >= _VALUES:
        shown = shown - _VALUES | {"a value"}
    listed = sorted(shown)[:EXPECTED_SHOWN_MAX]
    return f"Expected {', '.join(listed)}." if listed else ""


def _nearest(name: str) -> str:
    known = [*INTRINSIC_WORDS, *FUNCTIONS, *VALUE_WORDS]
    close = get_close_matches(name, known, n=1, cutoff=0.75)
    meant = f"Did you mean {close[0]}? " if close else ""
    return f"{meant}Attributes begin with a scope: span.{name}, resource.{name} or .{name}."
