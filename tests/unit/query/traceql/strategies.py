"""Random queries, as trees. They are well-formed; whether their types fit is mostly so."""

from functools import reduce

from hypothesis import strategies as st

from homeostat_server.query.traceql import tree
from homeostat_server.query.traceql.names import KIND_CODES, STATUS_CODES, Intrinsic, Scope, Type
from homeostat_server.query.traceql.tree import Form, Junction, Operator, Relation

KEYS = st.sampled_from(["x", "y", "z", "service.name", "env", "a b"])
SCOPES = st.sampled_from([Scope.ANY, Scope.SPAN, Scope.RESOURCE])
ATTRIBUTES = st.builds(tree.Attribute, SCOPES, KEYS)
MANY = st.builds(tree.Attribute, st.sampled_from([Scope.EVENT]), KEYS) | st.sampled_from(
    [tree.IntrinsicField(Intrinsic.EVENT_NAME), tree.IntrinsicField(Intrinsic.EVENT_TIME_SINCE_START)]
)

TEXTS = st.builds(
    tree.Literal, st.just(Type.STRING), st.sampled_from(["", "a", "b", "1", "s", "t", "e", 'q"\\\n', "é"])
)
PATTERNS = st.builds(tree.Literal, st.just(Type.STRING), st.sampled_from(["a|b", ".*", "[ab1]", "", "s"]))
INTEGERS = st.builds(tree.Literal, st.just(Type.INTEGER), st.integers(-2, 3))
REALS = st.builds(tree.Literal, st.just(Type.REAL), st.sampled_from([0.0, 1.0, 1.5, -0.5, 1e21]))
DURATIONS = st.builds(tree.Literal, st.just(Type.DURATION), st.sampled_from([0, 1_000_000, 5_000_000, 90_000_000_001]))
BOOLEANS = st.builds(tree.Literal, st.just(Type.BOOLEAN), st.booleans())
NIL = st.just(tree.Literal(Type.NIL, None))

COMPARISONS = st.sampled_from(sorted({*tree.ORDERING, *tree.EQUALITY}))
EQUALITY = st.sampled_from(sorted(tree.EQUALITY))
MATCHING = st.sampled_from(sorted(tree.MATCHING))
ARITHMETIC = st.sampled_from(sorted(tree.ARITHMETIC - {Operator.POWER}))

TEXT_FIELDS = st.sampled_from(
    [
        tree.IntrinsicField(which)
        for which in (Intrinsic.NAME, Intrinsic.ROOT_NAME, Intrinsic.ROOT_SERVICE, Intrinsic.SCOPE_NAME)
    ]
)
NUMBER_FIELDS = st.sampled_from(
    [tree.IntrinsicField(which) for which in (Intrinsic.DURATION, Intrinsic.TRACE_DURATION, Intrinsic.CHILD_COUNT)]
)
NUMBERS = st.recursive(
    ATTRIBUTES | NUMBER_FIELDS | INTEGERS | DURATIONS | REALS,
    lambda inner: (
        st.builds(tree.Binary, ARITHMETIC, inner, inner)
        | st.builds(tree.Minus, inner.filter(lambda item: not isinstance(item, tree.Literal)))
    ),
    max_leaves=3,
)
STATUS = st.builds(
    tree.Binary,
    EQUALITY,
    st.just(tree.IntrinsicField(Intrinsic.STATUS)),
    st.sampled_from([tree.Literal(Type.STATUS, word) for word in STATUS_CODES]),
)
KIND = st.builds(
    tree.Binary,
    EQUALITY,
    st.just(tree.IntrinsicField(Intrinsic.KIND)),
    st.sampled_from([tree.Literal(Type.KIND, word) for word in KIND_CODES]),
)
SIMPLE = st.one_of(
    STATUS,
    KIND,
    BOOLEANS,
    ATTRIBUTES,
    st.builds(tree.Binary, COMPARISONS, ATTRIBUTES, TEXTS | INTEGERS | REALS | DURATIONS | ATTRIBUTES),
    st.builds(tree.Binary, EQUALITY, ATTRIBUTES, BOOLEANS | NIL),
    st.builds(tree.Binary, MATCHING, ATTRIBUTES | TEXT_FIELDS, PATTERNS),
    st.builds(tree.Binary, COMPARISONS, TEXT_FIELDS, TEXTS),
    st.builds(tree.Binary, COMPARISONS, NUMBERS, NUMBERS),
    st.builds(tree.Binary, COMPARISONS, MANY.filter(lambda item: isinstance(item, tree.Attribute)), TEXTS | INTEGERS),
    st.builds(tree.Binary, EQUALITY, MANY, NIL),
    st.builds(tree.Binary, EQUALITY, TEXT_FIELDS, NIL),
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda inner: (
        st.builds(tree.Not, inner)
        | st.builds(tree.Logical, st.sampled_from(Junction), st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=4,
)
FILTERS = st.builds(tree.Filter, st.none() | CONDITIONS)
SPANSETS = st.recursive(
    FILTERS,
    lambda inner: (
        st.builds(tree.Combination, st.sampled_from(Junction), inner, inner)
        | st.builds(tree.Structure, st.sampled_from(Relation), st.sampled_from(Form), inner, inner)
    ),
    max_leaves=3,
)
FIELDS = ATTRIBUTES | NUMBER_FIELDS | TEXT_FIELDS
AGGREGATES = st.just(tree.Aggregate("count", None)) | st.builds(
    tree.Aggregate, st.sampled_from(["min", "max", "sum", "avg"]), ATTRIBUTES | NUMBER_FIELDS
)
SCALARS = AGGREGATES | st.builds(
    tree.Calculation, st.sampled_from([Operator.ADD, Operator.MULTIPLY]), AGGREGATES, AGGREGATES
)
SCALAR_FILTERS = st.builds(tree.ScalarFilter, COMPARISONS, SCALARS, INTEGERS | DURATIONS)
STAGES = st.one_of(
    SCALAR_FILTERS,
    st.builds(tree.GroupBy, FIELDS),
    st.just(tree.Coalesce()),
    st.builds(tree.Select, st.lists(FIELDS, min_size=1, max_size=2).map(tuple)),
    FILTERS,
)


def _pipeline(spanset: tree.Spanset, stages: list[tree.Stage]) -> tree.Pipeline:
    first = [spanset] if not isinstance(spanset, tree.Pipeline) else list(spanset.stages)
    return tree.Pipeline((*first, *stages))


PIPELINES = st.builds(_pipeline, SPANSETS, st.lists(STAGES, max_size=2))
METRICS = st.one_of(
    st.builds(tree.Metric, st.sampled_from(["rate", "count_over_time"]), by=st.lists(FIELDS, max_size=2).map(tuple)),
    st.builds(tree.Metric, st.sampled_from(["min_over_time", "histogram_over_time"]), FIELDS),
    st.builds(
        tree.Metric,
        st.just("quantile_over_time"),
        FIELDS,
        st.lists(st.sampled_from([0.0, 0.5, 0.99]), min_size=1, max_size=3).map(tuple),
    ),
)
REFINEMENTS = st.lists(
    st.builds(tree.Rank, st.sampled_from(["topk", "bottomk"]), st.integers(1, 5))
    | st.builds(tree.Threshold, COMPARISONS, st.sampled_from([0.0, 1.5, -2.0])),
    max_size=2,
).map(tuple)
HINTS = st.lists(st.builds(tree.Hint, st.just("most_recent"), BOOLEANS), max_size=1).map(tuple)
SEARCHES = st.builds(tree.Query, PIPELINES)
QUERIES = st.builds(tree.Query, PIPELINES, hints=HINTS) | st.builds(tree.Query, PIPELINES, METRICS, REFINEMENTS, HINTS)

WORDS = [
    "{",
    "}",
    "(",
    ")",
    "|",
    "||",
    "&&",
    "!",
    "=",
    "!=",
    "=~",
    "!~",
    "<",
    ">",
    "<=",
    ">=",
    "<<",
    ">>",
    "~",
    "!>",
    "&>",
    "+",
    "-",
    "*",
    "/",
    "%",
    "^",
    ",",
    ".",
    "nil",
    "true",
    "error",
    "server",
    "name",
    "duration",
    "span.x",
    ".x",
    "event.x",
    "resource.service.name",
    "span:",
    "trace:duration",
    "parent.x",
    "1",
    "1.5",
    "2ms",
    "1h",
    "count(",
    "avg(",
    "by(",
    "select(",
    "rate()",
    "topk(",
    "with",
    "(",
    "coalesce()",
    "compare({})",
    "quantile_over_time(",
    "//",
    "/*",
    "é",
    "0x1",
    "1e9",
    '"',
    "`",
    "\\",
    "'",
    " ",
    "\n",
    "\t",
    "\x00",
]
TEXT = st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=25).map(
    lambda words: reduce(str.__add__, words, "")
)
