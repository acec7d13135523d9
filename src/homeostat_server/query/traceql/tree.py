"""A query as a tree of frozen values. Two trees are equal when they ask the same, wherever in a text they stood.

It knows neither text nor SQL. Chains of one logical operator are one node, so that a tree is as deep as its brackets.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum, unique
from typing import TypeAlias

from homeostat_server.query.traceql.errors import NOWHERE, Place
from homeostat_server.query.traceql.names import Intrinsic, Scope, Type


@unique
class Operator(StrEnum):
    """Name an operator between values of one span."""

    ADD = "+"
    SUBTRACT = "-"
    MULTIPLY = "*"
    DIVIDE = "/"
    MODULO = "%"
    POWER = "^"
    EQUAL = "="
    NOT_EQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    MATCH = "=~"
    NOT_MATCH = "!~"


ARITHMETIC = frozenset(
    {
        Operator.ADD,
        Operator.SUBTRACT,
        Operator.MULTIPLY,
        Operator.DIVIDE,
        Operator.MODULO,
        Operator.POWER,
    }
)
ORDERING = frozenset({Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})
EQUALITY = frozenset({Operator.EQUAL, Operator.NOT_EQUAL})
MATCHING = frozenset({Operator.MATCH, Operator.NOT_MATCH})
NEGATIVE = frozenset({Operator.NOT_EQUAL, Operator.NOT_MATCH})


@unique
class Junction(StrEnum):
    """Name a logical operator, between conditions and between spansets."""

    AND = "&&"
    OR = "||"


@unique
class Relation(StrEnum):
    """Name how spans of the right side lie to those of the left in the tree of a trace."""

    CHILD = ">"
    PARENT = "<"
    DESCENDANT = ">>"
    ANCESTOR = "<<"
    SIBLING = "~"


@unique
class Form(StrEnum):
    """Name which spans a structural operator gives: the right ones that are related, that are not, or both sides."""

    PLAIN = ""
    NOT = "!"
    UNION = "&"


def _place() -> Place:
    return NOWHERE


@dataclass(frozen=True, slots=True)
class Literal:
    """Hold a constant; a duration in nanoseconds, a status and a kind as their words."""

    type: Type
    value: str | int | float | bool | None
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Attribute:
    """Hold the name of an attribute and where it lies."""

    scope: Scope
    key: str
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IntrinsicField:
    """Hold the name of what every span has."""

    intrinsic: Intrinsic
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """Hold a negated condition."""

    operand: "Expression"
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Minus:
    """Hold a negated number."""

    operand: "Expression"
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """Hold two values and the operator between them."""

    operator: Operator
    left: "Expression"
    right: "Expression"
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Logical:
    """Hold two or more conditions with one operator between them."""

    junction: Junction
    terms: tuple["Expression", ...]
    place: Place = field(default_factory=_place, compare=False, repr=False)


Field: TypeAlias = Attribute | IntrinsicField
Expression: TypeAlias = Literal | Attribute | IntrinsicField | Not | Minus | Binary | Logical


@dataclass(frozen=True, slots=True)
class Filter:
    """Hold what one span has to fulfil; None takes every span."""

    condition: Expression | None
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Combination:
    """Hold two spansets of one trace joined by `&&` or `||`."""

    junction: Junction
    left: "Spanset"
    right: "Spanset"


@dataclass(frozen=True, slots=True)
class Structure:
    """Hold two spansets of one trace and how their spans have to lie to each other."""

    relation: Relation
    form: Form
    left: "Spanset"
    right: "Spanset"
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Hold a number told by all spans of a spanset; only `count` has no field."""

    function: str
    operand: Expression | None
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Calculation:
    """Hold two numbers of a spanset and the operator between them."""

    operator: Operator
    left: "Scalar"
    right: "Scalar"
    place: Place = field(default_factory=_place, compare=False, repr=False)


Scalar: TypeAlias = Literal | Aggregate | Calculation


@dataclass(frozen=True, slots=True)
class ScalarFilter:
    """Hold what the numbers of a spanset have to fulfil."""

    operator: Operator
    left: Scalar
    right: Scalar
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroupBy:
    """Hold by which values a spanset is divided."""

    expression: Expression


@dataclass(frozen=True, slots=True)
class Coalesce:
    """Join the spansets of a trace again."""


@dataclass(frozen=True, slots=True)
class Select:
    """Hold which fields are told of each span besides those that were asked about."""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Hold stages that are passed one after the other."""

    stages: tuple["Stage", ...]


Spanset: TypeAlias = Filter | Combination | Structure | Pipeline
Stage: TypeAlias = Filter | Combination | Structure | ScalarFilter | GroupBy | Coalesce | Select


@dataclass(frozen=True, slots=True)
class Metric:
    """Hold what is measured of the spans that a pipeline gives, a series for each combination of values of `by`.

    Attributes:
        function: `rate`, `count_over_time`, `min_over_time`…
        operand: what is measured, None for what only counts.
        quantiles: of `quantile_over_time`, 0 to 1.
        by: what the series are told apart by.
    """

    function: str
    operand: Field | None = None
    quantiles: tuple[float, ...] = ()
    by: tuple[Field, ...] = ()
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Hold which spans are set against all others, and how many values of each attribute are told.

    Attributes:
        selection: the spans to set apart.
        values_max: of each attribute and side.
        start_ns: of the selection, with `end_ns`; both 0 for the whole window.
        end_ns: of the selection.
    """

    selection: Filter
    values_max: int
    start_ns: int
    end_ns: int
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rank:
    """Hold how many of the highest (`topk`) or lowest (`bottomk`) series stay at each step."""

    function: str
    count: int
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Threshold:
    """Hold what a sample has to fulfil to stay."""

    operator: Operator
    value: float


@dataclass(frozen=True, slots=True)
class Hint:
    """Hold one wish about how a query is answered."""

    key: str
    value: Literal
    place: Place = field(default_factory=_place, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Query:
    """Hold a whole query; without a metric it searches traces.

    Attributes:
        pipeline: which spans it is about.
        metric: what is measured of them.
        refinements: what happens to the series then, in order.
        hints: wishes.
    """

    pipeline: Pipeline
    metric: Metric | Comparison | None = None
    refinements: tuple[Rank | Threshold, ...] = ()
    hints: tuple[Hint, ...] = ()


def filters(node: Spanset | Stage) -> Iterator[Filter]:
    """Yield the filters below a spanset or stage from left to right."""
    if isinstance(node, Filter):
        yield node
    elif isinstance(node, Combination | Structure):
        yield from filters(node.left)
        yield from filters(node.right)
    elif isinstance(node, Pipeline):
        for stage in node.stages:
            yield from filters(stage)


def expressions(expression: Expression) -> Iterator[Expression]:
    """Yield an expression and all below it."""
    yield expression
    if isinstance(expression, Not | Minus):
        yield from expressions(expression.operand)
    elif isinstance(expression, Binary):
        yield from expressions(expression.left)
        yield from expressions(expression.right)
    elif isinstance(expression, Logical):
        for term in expression.terms:
            yield from expressions(term)


def aggregates(scalar: Scalar) -> Iterator[Aggregate]:
    """Yield the aggregates of a scalar."""
    if isinstance(scalar, Aggregate):
        yield scalar
    elif isinstance(scalar, Calculation):
        yield from aggregates(scalar.left)
        yield from aggregates(scalar.right)
