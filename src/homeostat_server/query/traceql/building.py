"""What each rule of the grammar becomes in the tree. Methods have the names of the rules."""

from math import isfinite
from typing import Final, TypeVar

from lark import Token, Transformer, v_args

from homeostat_server.query.traceql.errors import Place, TraceqlError, TraceqlUnsupported
from homeostat_server.query.traceql.literals import INTEGER_MAX, duration_ns, parse_key, unquote
from homeostat_server.query.traceql.names import INTRINSIC_WORDS, NUMERIC, UNSUPPORTED_WORDS, Scope, Type
from homeostat_server.query.traceql.tree import (
    Aggregate,
    Attribute,
    Binary,
    Calculation,
    Coalesce,
    Combination,
    Comparison,
    Expression,
    Field,
    Filter,
    Form,
    GroupBy,
    Hint,
    IntrinsicField,
    Junction,
    Literal,
    Logical,
    Metric,
    Minus,
    Not,
    Operator,
    Pipeline,
    Query,
    Rank,
    Relation,
    Scalar,
    ScalarFilter,
    Select,
    Spanset,
    Stage,
    Structure,
    Threshold,
)

COMPARED_VALUES: Final = 10
"""Values of each attribute that `compare` tells when it is not said how many."""

T = TypeVar("T")


def place_of(token: Token) -> Place:
    """Return where a token stands."""
    return Place(token.start_pos or 0, token.line or 1, token.column or 1)


@v_args(inline=True)
class Builder(Transformer[Token, Query]):
    """Make nodes of the tree, each from those below it; it keeps nothing from one to the next."""

    def search(self, pipeline: Pipeline, hints: tuple[Hint, ...] = ()) -> Query:
        """Make a query that searches traces."""
        return Query(pipeline, hints=hints)

    def measure(self, pipeline: Pipeline, metric: Metric | Comparison, *rest: object) -> Query:
        """Make a query that measures."""
        refinements = tuple(item for item in rest if isinstance(item, Rank | Threshold))
        hints: tuple[Hint, ...] = next((item for item in rest if isinstance(item, tuple)), ())
        return Query(pipeline, metric, refinements, hints)

    def pipeline(self, first: Pipeline | Stage, *more: Stage) -> Pipeline:
        """Make a chain of stages, or one that is longer by one."""
        return Pipeline((*first.stages, *more) if isinstance(first, Pipeline) else (first, *more))

    def nested(self, pipeline: Pipeline) -> Spanset:
        """Make a pipeline in brackets; brackets around one spanset are no pipeline."""
        stage = pipeline.stages[0]
        if isinstance(stage, Filter | Combination | Structure) and len(pipeline.stages) == 1:
            return stage
        return pipeline

    def group(self, _by: Token, expression: Expression) -> GroupBy:
        """Make a stage that divides."""
        return GroupBy(expression)

    def coalesce(self, _coalesce: Token) -> Coalesce:
        """Make a stage that joins."""
        return Coalesce()

    def select(self, _select: Token, fields: tuple[Field, ...]) -> Select:
        """Make a stage that adds fields."""
        return Select(fields)

    def combination(self, first: Spanset, *rest: object) -> Spanset:
        """Make a chain of spansets, from the left."""
        joined = first
        for junction, right in _pairs(rest, Token):
            joined = Combination(Junction(junction.value), joined, right)  # type: ignore[arg-type] # as the grammar says
        return joined

    def related(self, left: Spanset, operator: Token, right: Spanset) -> Structure:
        """Make a structural operation."""
        form = Form(operator[0]) if operator[0] in {"!", "&"} else Form.PLAIN
        return Structure(Relation(operator.lstrip("!&")), form, left, right, place_of(operator))

    def filter(self, opening: Token, *inner: object) -> Filter:
        """Make a filter; without a condition it takes every span."""
        condition = inner[0] if len(inner) == 2 else None
        return Filter(condition, place_of(opening))  # type: ignore[arg-type] # as the grammar says

    def _token(self, token: Token) -> Token:
        return token

    relation = junction = comparing = ordering = adding = multiplying = _token

    def scalar_filter(self, left: Scalar, operator: Token, right: Scalar) -> ScalarFilter:
        """Make a condition on a spanset's numbers."""
        return ScalarFilter(Operator(operator.value), left, right, place_of(operator))

    def calculation(self, left: Scalar, operator: Token, right: Scalar) -> Calculation:
        """Make a calculation with a spanset's numbers."""
        return Calculation(Operator(operator.value), left, right, place_of(operator))

    def scalar_pipeline(self, _pipeline: Pipeline, aggregate: Aggregate) -> Scalar:
        """Refuse a calculation over several pipelines."""
        raise TraceqlUnsupported(
            "calculating with several pipelines",
            place=aggregate.place,
            hint="Write { … } | count() > 2: one pipeline, and conditions behind it.",
        )

    def metric_in_brackets(self, _pipeline: Pipeline, metric: Metric | Comparison, *_rest: object) -> Pipeline:
        """Refuse a calculation over several metrics."""
        raise TraceqlUnsupported(
            "calculating with metrics",
            place=metric.place,
            hint="Ask for each: { … } | rate(), without brackets around it.",
        )

    def aggregate(self, function: Token, operand: Expression | None = None) -> Aggregate:
        """Make an aggregate."""
        return Aggregate(function.value, operand, place_of(function))

    def counting(self, function: Token, by: tuple[Field, ...] = ()) -> Metric:
        """Make a metric that counts spans."""
        return Metric(function.value, by=by, place=place_of(function))

    def measuring(self, function: Token, operand: Field, by: tuple[Field, ...] = ()) -> Metric:
        """Make a metric of a field."""
        return Metric(function.value, operand, by=by, place=place_of(function))

    def quantile(self, function: Token, operand: Field, *rest: object) -> Metric:
        """Make quantiles of a field."""
        quantiles = tuple(float(item.value or 0) for item in rest if isinstance(item, Literal))
        by: tuple[Field, ...] = next((item for item in rest if isinstance(item, tuple)), ())
        return Metric(function.value, operand, quantiles, by, place_of(function))

    def compare(self, function: Token, selection: Filter, *numbers: Token) -> Comparison:
        """Make a comparison of some spans with all others."""
        values = [_integer(number) for number in numbers]
        if len(values) not in {0, 1, 3}:
            raise TraceqlError(
                f"compare with {len(values)} numbers",
                place=place_of(function),
                hint="Write compare({…}), compare({…}, values) or compare({…}, values, start, end).",
            )
        values_max, start_ns, end_ns = (values + [COMPARED_VALUES, 0, 0][len(values) :])[:3]
        return Comparison(selection, values_max, start_ns, end_ns, place_of(function))

    def by(self, _by: Token, fields: tuple[Field, ...]) -> tuple[Field, ...]:
        """Give what series are told apart by."""
        return fields

    def rank(self, function: Token, count: Token) -> Rank:
        """Make a choice of series."""
        return Rank(function.value, _integer(count), place_of(function))

    def threshold(self, operator: Token, number: Literal) -> Threshold:
        """Make a condition on samples; a duration counts in seconds, as the samples do."""
        value = float(number.value or 0)
        return Threshold(Operator(operator.value), value / 1e9 if number.type is Type.DURATION else value)

    def hints(self, _with: Token, *hints: Hint) -> tuple[Hint, ...]:
        """Give all wishes."""
        return hints

    def hint(self, key: Token, _equals: Token, value: Literal) -> Hint:
        """Make a wish."""
        return Hint(key.value, value, place_of(key))

    def logical(self, first: Expression, *rest: object) -> Expression:
        """Make a chain of conditions; `&&` and `||` bind equally and from the left, as they do in Tempo."""
        chain, terms = Junction.AND, [first]
        for position, (junction, right) in enumerate(_pairs(rest, Token)):
            following = Junction(junction.value)
            if position and following is not chain:
                terms = [Logical(chain, tuple(terms), terms[0].place)]
            chain = following
            terms.append(right)  # type: ignore[arg-type] # as the grammar says
        return Logical(chain, tuple(terms), terms[0].place)

    def binary(self, left: Expression, operator: Token, right: Expression) -> Binary:
        """Make an operation on two values."""
        return Binary(Operator(operator.value), left, right, place_of(operator))

    def minus(self, sign: Token, operand: Expression) -> Expression:
        """Make a negated number; of a constant it is a constant."""
        if isinstance(operand, Literal) and operand.type in NUMERIC:
            return self.negative(sign, operand)
        return Minus(operand, place_of(sign))

    def negative(self, sign: Token, number: Literal) -> Literal:
        """Make a constant below zero."""
        assert isinstance(number.value, int | float)
        return Literal(number.type, -number.value, place_of(sign))

    def negation(self, sign: Token, operand: Expression) -> Not:
        """Make a negated condition."""
        return Not(operand, place_of(sign))

    def unsupported(self, word: Token) -> Expression:
        """Refuse a word by its name."""
        raise TraceqlUnsupported(UNSUPPORTED_WORDS[word.value], place=place_of(word), hint=_INSTEAD[word.value])

    def fields(self, *fields: Field) -> tuple[Field, ...]:
        """Give several fields."""
        return fields

    def attribute(self, token: Token) -> Attribute:
        """Make an attribute with its scope."""
        place = place_of(token)
        if token.startswith("parent."):
            raise TraceqlUnsupported(
                "the scope parent", place=place, hint="Relate spans by structure: { parent } > { child }."
            )
        scope, _, key = token.partition(".")
        try:
            return Attribute(Scope(scope), parse_key(key), place)
        except ValueError as error:
            raise TraceqlError(f"there is no escape {error} in a name", place=place, near=token.value) from None

    def intrinsic(self, token: Token) -> IntrinsicField:
        """Make an intrinsic field."""
        return IntrinsicField(INTRINSIC_WORDS[token.value], place_of(token))

    def string(self, token: Token) -> Literal:
        """Make a text."""
        try:
            return Literal(Type.STRING, unquote(token.value), place_of(token))
        except ValueError as error:
            raise TraceqlError(
                f"there is no escape {error}",
                place=place_of(token),
                near=token.value,
                hint="A backslash is written twice, or the text stands in backticks.",
            ) from None

    def boolean(self, token: Token) -> Literal:
        """Make a truth value."""
        return Literal(Type.BOOLEAN, token.value == "true", place_of(token))

    def nil(self, token: Token) -> Literal:
        """Make what is not there."""
        return Literal(Type.NIL, None, place_of(token))

    def status(self, token: Token) -> Literal:
        """Make a status."""
        return Literal(Type.STATUS, token.value, place_of(token))

    def kind(self, token: Token) -> Literal:
        """Make a kind of span."""
        return Literal(Type.KIND, token.value, place_of(token))

    def integer(self, token: Token) -> Literal:
        """Make a whole number."""
        return Literal(Type.INTEGER, _integer(token), place_of(token))

    def real(self, token: Token) -> Literal:
        """Make a real number."""
        value = float(token.value)
        if not isfinite(value):
            raise _too_large(token)
        return Literal(Type.REAL, value, place_of(token))

    def duration(self, token: Token) -> Literal:
        """Make a duration."""
        value = duration_ns(token.value)
        if value > INTEGER_MAX:
            raise _too_large(token)
        return Literal(Type.DURATION, value, place_of(token))


_INSTEAD: Final = {
    "parent": "Roots are { nestedSetParent < 0 }; relate spans by structure: { parent } > { child }.",
    "nestedSetLeft": "Relate spans by structure: >, >>, <, <<, ~.",
    "nestedSetRight": "Relate spans by structure: >, >>, <, <<, ~.",
}


def _integer(token: Token) -> int:
    if len(token) > 19 or int(token) > INTEGER_MAX:
        raise _too_large(token)
    return int(token)


def _too_large(token: Token) -> TraceqlError:
    return TraceqlError(
        "a number that is too large", place=place_of(token), near=token.value, hint=f"The largest is {INTEGER_MAX}."
    )


def _pairs(rest: tuple[object, ...], kind: type[T]) -> list[tuple[T, object]]:
    """Return operators with what stands behind them."""
    operators = [item for item in rest[::2] if isinstance(item, kind)]
    return list(zip(operators, rest[1::2], strict=True))
