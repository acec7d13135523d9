"""TraceQL done slowly and obviously, a span at a time, over values of Python: it shares only the tree."""

import math
import operator as operators
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from homeostat_server.query.semconv import same_as, same_values
from homeostat_server.query.traceql import tree
from homeostat_server.query.traceql.names import Intrinsic, Scope
from tests.unit.query.traceql.world import Known, span_id, trace_id

STATUS = ("unset", "ok", "error")
KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")

Typed = tuple[str, object]
"""What a value is (text, whole, real, truth, time, status, kind) and the value; None is nil."""

COMPARE: Mapping[str, Callable[[object, object], bool]] = {
    "=": operators.eq,
    "!=": operators.ne,
    "<": operators.lt,  # type: ignore[dict-item] # of numbers and texts
    "<=": operators.le,  # type: ignore[dict-item] # as above
    ">": operators.gt,  # type: ignore[dict-item] # as above
    ">=": operators.ge,  # type: ignore[dict-item] # as above
}
NUMBERS = {"whole", "real", "time"}


@dataclass(frozen=True)
class Trace:
    """Hold the spans of a trace and what each is below."""

    spans: tuple[Known, ...]

    def parent(self, span: Known) -> Known | None:
        """Return the span's parent when it is here and not, by way of others, the span itself."""
        found = self._parent(span)
        seen = []
        above = found
        while above is not None and above not in seen:
            seen.append(above)
            above = self._parent(above)
        return None if above is not None else found

    def _parent(self, span: Known) -> Known | None:
        found = [other for other in self.spans if span.parent and other.label == span.parent]
        return min(found, key=lambda other: (other.start_ns, other.label), default=None)

    def ancestors(self, span: Known) -> list[Known]:
        """Return all spans above one."""
        above, parent = [], self.parent(span)
        while parent is not None:
            above.append(parent)
            parent = self.parent(parent)
        return above

    def root(self) -> Known | None:
        """Return the first span that has no parent."""
        roots = [span for span in self.spans if not span.parent]
        return min(roots, key=lambda span: (span.start_ns, span_id(span.label)), default=None)


def typed(value: object) -> Typed | None:
    """Return a value of Python with its type."""
    if value is None:
        return None
    for kind, name in ((bool, "truth"), (int, "whole"), (float, "real"), (str, "text")):
        if isinstance(value, kind):
            return name, value
    return "other", value


def attribute(attributes: Mapping[str, object], key: str) -> Typed | None:
    """Return an attribute by any of its names, the newest first."""
    return next((typed(attributes[name]) for name in same_as(key) if name in attributes), None)


def resource(span: Known, key: str) -> Typed | None:
    """Return an attribute of a span's resource."""
    if key == "service.name":
        return ("text", span.service) if span.service else None
    return attribute(span.resource, key)


def fields(field: tree.Field, span: Known, trace: Trace) -> list[Typed]:
    """Return the values of a field, none when it is not there; of events and links all of them."""
    if isinstance(field, tree.Attribute):
        found: Iterable[Typed | None]
        match field.scope:
            case Scope.SPAN:
                found = [attribute(span.attributes, field.key)]
            case Scope.RESOURCE:
                found = [resource(span, field.key)]
            case Scope.ANY:
                found = [attribute(span.attributes, field.key) or resource(span, field.key)]
            case Scope.EVENT:
                found = [attribute(event.attributes, field.key) for event in span.events]
            case Scope.LINK:
                found = [attribute(link.attributes, field.key) for link in span.links]
            case _:
                found = []
        return [value for value in found if value is not None]
    return intrinsic(field.intrinsic, span, trace)


def intrinsic(which: Intrinsic, span: Known, trace: Trace) -> list[Typed]:
    """Return the values of an intrinsic field."""
    root = trace.root()
    found: Mapping[Intrinsic, Callable[[], list[Typed]]] = {
        Intrinsic.NAME: lambda: [("text", span.name)],
        Intrinsic.STATUS: lambda: [("status", STATUS[span.status])],
        Intrinsic.STATUS_MESSAGE: lambda: [("text", span.status_message)],
        Intrinsic.DURATION: lambda: [("time", span.duration_ns)],
        Intrinsic.KIND: lambda: [("kind", KINDS[span.kind])],
        Intrinsic.CHILD_COUNT: lambda: [("whole", sum(other.parent == span.label for other in trace.spans))],
        Intrinsic.SPAN_ID: lambda: [("text", span_id(span.label).hex())],
        Intrinsic.PARENT_ID: lambda: [("text", span_id(span.parent).hex())] if span.parent else [],
        Intrinsic.TRACE_ID: lambda: [("text", trace_id(span.trace).hex())],
        Intrinsic.ROOT_NAME: lambda: [("text", root.name)] if root else [],
        Intrinsic.ROOT_SERVICE: lambda: [("text", root.service)] if root else [],
        Intrinsic.TRACE_DURATION: lambda: [("time", duration(trace.spans))],
        Intrinsic.EVENT_NAME: lambda: [("text", event.name) for event in span.events],
        Intrinsic.EVENT_TIME_SINCE_START: lambda: [("time", event.after_ms * 1_000_000) for event in span.events],
        Intrinsic.LINK_TRACE_ID: lambda: [("text", trace_id(link.trace).hex()) for link in span.links],
        Intrinsic.LINK_SPAN_ID: lambda: [("text", span_id(link.span).hex()) for link in span.links],
        Intrinsic.SCOPE_NAME: lambda: [("text", span.scope[0])],
        Intrinsic.SCOPE_VERSION: lambda: [("text", span.scope[1])],
        Intrinsic.NESTED_SET_PARENT: lambda: [("whole", 1 if span.parent else -1)],
    }
    return found[which]()


def duration(spans: Sequence[Known]) -> int:
    """Return how long a trace takes."""
    return max(span.start_ns + span.duration_ns for span in spans) - min(span.start_ns for span in spans)


def evaluate(expression: tree.Expression, span: Known, trace: Trace) -> Typed | None:
    """Return the value of an expression; of a field the one it has."""
    match expression:
        case tree.Literal():
            names = {"string": "text", "integer": "whole", "boolean": "truth", "duration": "time"}
            name = names.get(expression.type, expression.type.value)
            return None if expression.value is None else (name, expression.value)
        case tree.Attribute() | tree.IntrinsicField():
            return next(iter(fields(expression, span, trace)), None)
        case tree.Minus():
            number = as_number(evaluate(expression.operand, span, trace))
            return None if number is None else ("real", -number)
        case tree.Binary(operator=sign) if sign in tree.ARITHMETIC:
            left, right = (as_number(evaluate(side, span, trace)) for side in (expression.left, expression.right))
            return None if left is None or right is None else ("real", calculate(sign, left, right))
        case _:
            return "truth", holds(expression, span, trace)


def as_number(value: Typed | None) -> float | None:
    """Return a number, nothing for what is none."""
    return float(value[1]) if value is not None and value[0] in NUMBERS else None  # type: ignore[arg-type] # a number


def calculate(sign: str, left: float, right: float) -> float:
    """Return what IEEE 754 says."""
    try:
        return CALCULATE[sign](left, right)
    except ZeroDivisionError:
        if left == 0 or math.isnan(left):
            return math.nan
        return math.copysign(math.inf, math.copysign(1, left) * math.copysign(1, right))
    except (OverflowError, ValueError):
        return math.inf if sign == "^" else math.nan


CALCULATE: Mapping[str, Callable[[float, float], float]] = {
    "+": operators.add,
    "-": operators.sub,
    "*": operators.mul,
    "/": operators.truediv,
    "%": math.fmod,
    "^": math.pow,
}


def holds(expression: tree.Expression | None, span: Known, trace: Trace) -> bool:
    """Say whether a span fulfils a condition."""
    match expression:
        case None:
            return True
        case tree.Logical():
            every = all if expression.junction is tree.Junction.AND else any
            return every(holds(term, span, trace) for term in expression.terms)
        case tree.Not(operand=tree.Attribute() as operand):
            return evaluate(operand, span, trace) == ("truth", False)
        case tree.Not():
            return not holds(expression.operand, span, trace)
        case tree.Binary() if expression.operator not in tree.ARITHMETIC:
            return comparison(expression, span, trace)
        case _:
            return evaluate(expression, span, trace) == ("truth", True)


def comparison(expression: tree.Binary, span: Known, trace: Trace) -> bool:
    """Say whether a comparison holds: for one of several values, `!=` and `!~` for all of them."""
    sign, left, right = expression.operator.value, expression.left, expression.right
    if isinstance(left, tree.Literal) and not isinstance(right, tree.Literal):
        sign, left, right = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}.get(sign, sign), right, left
    is_field = isinstance(left, tree.Attribute | tree.IntrinsicField)
    values = fields(left, span, trace) if is_field else [evaluate(left, span, trace)]  # type: ignore[arg-type] # just seen
    if isinstance(right, tree.Literal) and right.value is None:
        return (not values) if sign == "=" else bool(values)
    other = evaluate(right, span, trace)
    many = is_field and isinstance(right, tree.Literal) and len(values) > 1
    if many and sign in ("!=", "!~"):
        positive = {"!=": "=", "!~": "=~"}[sign]
        return not any(compared(positive, value, other, left) for value in values)
    if is_field and _is_many(left) and sign in ("!=", "!~"):
        positive = {"!=": "=", "!~": "=~"}[sign]
        return bool(values) and not any(compared(positive, value, other, left) for value in values)
    return any(compared(sign, value, other, left) for value in values)


def _is_many(field: tree.Expression) -> bool:
    if isinstance(field, tree.Attribute):
        return field.scope in (Scope.EVENT, Scope.LINK)
    return isinstance(field, tree.IntrinsicField) and field.intrinsic.value.startswith(("event:", "link:"))


def compared(sign: str, left: Typed | None, right: Typed | None, field: tree.Expression) -> bool:
    """Say whether two values compare so; those of different types never do."""
    if left is None or right is None:
        return False
    both_numbers = left[0] in NUMBERS and right[0] in NUMBERS
    if (left[0] != right[0] and not both_numbers) or left[0] == "other":
        return False
    if sign in ("=~", "!~"):
        return bool(re.fullmatch(str(right[1]), str(left[1]), re.DOTALL)) == (sign == "=~")
    if left[0] == "truth" and sign not in ("=", "!="):
        return False
    if sign in ("=", "!=") and isinstance(field, tree.Attribute) and left[0] == "text":
        return (left[1] in same_values(field.key, str(right[1]))) == (sign == "=")
    return COMPARE[sign](left[1], right[1])


Spanset = tuple[tuple[Known, ...], tuple[tuple[str, object], ...]]
"""Spans, and what `by()` divided them by."""


def spansets(pipeline: tree.Pipeline, trace: Trace, begin: Sequence[Spanset] | None = None) -> list[Spanset]:
    """Return the spansets that a pipeline gives of a trace."""
    found: list[Spanset] = [(trace.spans, ())] if begin is None else list(begin)
    for stage in pipeline.stages:
        match stage:
            case tree.ScalarFilter():
                found = [one for one in found if passes(stage, one[0], trace)]
            case tree.GroupBy():
                found = [part for one in found for part in divided(stage, one, trace)]
            case tree.Coalesce():
                found = [(tuple(span for one in found for span in one[0]), ())] if found else []
            case tree.Select():
                pass
            case _:
                found = [(choose(stage, one[0], trace), one[1]) for one in found]
        found = [one for one in found if one[0]]
    return found


def divided(stage: tree.GroupBy, spanset: Spanset, trace: Trace) -> list[Spanset]:
    """Return the parts of a spanset by a value."""
    parts: dict[object, list[Known]] = defaultdict(list)
    for span in spanset[0]:
        parts[evaluate(stage.expression, span, trace)].append(span)
    return [(tuple(spans), (*spanset[1], ("by", value))) for value, spans in parts.items()]


def choose(spanset: tree.Spanset, spans: Sequence[Known], trace: Trace) -> tuple[Known, ...]:
    """Return the spans that a spanset expression gives, of some."""
    match spanset:
        case tree.Filter():
            return tuple(span for span in spans if holds(spanset.condition, span, trace))
        case tree.Pipeline():
            given = [span for one in spansets(spanset, trace, [(tuple(spans), ())]) for span in one[0]]
            return tuple(span for span in spans if span in given)
    left, right = choose(spanset.left, spans, trace), choose(spanset.right, spans, trace)
    if isinstance(spanset, tree.Combination):
        if spanset.junction is tree.Junction.AND and not (left and right):
            return ()
        return tuple(span for span in spans if span in left or span in right)
    return related_ones(spanset, left, right, trace)


def related_ones(
    spanset: tree.Structure, left: Sequence[Known], right: Sequence[Known], trace: Trace
) -> tuple[Known, ...]:
    """Return the spans of both sides that a structural operator gives."""
    related = [(one, other) for one in left for other in right if lies(spanset.relation, one, other, trace)]
    rights = [span for span in right if any(span is other for _, other in related)]
    match spanset.form:
        case tree.Form.PLAIN:
            return tuple(rights)
        case tree.Form.NOT:
            return tuple(span for span in right if span not in rights)
        case _:
            lefts = [one for one, _ in related]
            return tuple(span for span in trace.spans if span in lefts or span in rights)


def lies(relation: tree.Relation, left: Known, right: Known, trace: Trace) -> bool:
    """Say whether the right span lies so to the left one."""
    parent = trace.parent(left)
    found: Mapping[tree.Relation, Callable[[], bool]] = {
        tree.Relation.CHILD: lambda: trace.parent(right) is left,
        tree.Relation.PARENT: lambda: parent is right,
        tree.Relation.DESCENDANT: lambda: any(above is left for above in trace.ancestors(right)),
        tree.Relation.ANCESTOR: lambda: any(above is right for above in trace.ancestors(left)),
        tree.Relation.SIBLING: lambda: left is not right and parent is not None and trace.parent(right) is parent,
    }
    return found[relation]()


def passes(stage: tree.ScalarFilter, spans: Sequence[Known], trace: Trace) -> bool:
    """Say whether the numbers of a spanset fulfil a condition."""
    left, right = scalar(stage.left, spans, trace), scalar(stage.right, spans, trace)
    if left is None or right is None or math.isnan(left) or math.isnan(right):
        return False
    return COMPARE[stage.operator.value](left, right)


def scalar(item: tree.Scalar, spans: Sequence[Known], trace: Trace) -> float | None:
    """Return a number of a spanset."""
    if isinstance(item, tree.Literal):
        return float(item.value or 0)
    if isinstance(item, tree.Calculation):
        left, right = scalar(item.left, spans, trace), scalar(item.right, spans, trace)
        return None if left is None or right is None else calculate(item.operator, left, right)
    if item.operand is None:
        return float(len(spans))
    numbers = [as_number(evaluate(item.operand, span, trace)) for span in spans]
    told = [number for number in numbers if number is not None and not math.isnan(number)]
    if not told:
        return None
    functions: Mapping[str, Callable[[list[float]], float]] = {
        "min": min,
        "max": max,
        "sum": sum,
        "avg": lambda found: sum(found) / len(found),
    }
    return float(functions[item.function](told))


def search(query: tree.Query, spans: Sequence[Known], first_ns: int, end_ns: int) -> dict[str, list[list[str]]]:
    """Return the labels of the spans of each spanset, by trace."""
    traces: dict[str, list[Known]] = defaultdict(list)
    for span in spans:
        if first_ns <= span.start_ns < end_ns:
            traces[span.trace].append(span)
    found = {}
    for name, members in traces.items():
        trace = Trace(tuple(sorted(members, key=lambda span: (span.start_ns, span_id(span.label)))))
        sets = spansets(query.pipeline, trace)
        if sets:
            found[name] = sorted(sorted(span.label for span in members) for members, _ in sets)
    return found
