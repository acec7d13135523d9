"""Random TraceQL: texts that a grammar allows, sense or not, and texts that are almost that. It runs none.

The grammar is written here once more, loosely and from the outside (Tempo's documentation of the language), so that a
parser that forgets something is asked for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

DEPTH_MAX: Final = 3
_INTRINSICS: Final = (
    *("duration", "name", "status", "statusMessage", "kind", "traceDuration", "rootName", "rootServiceName"),
    *("span:duration", "span:name", "span:status", "span:statusMessage", "span:kind", "span:id", "span:parentID"),
    *("trace:id", "trace:duration", "trace:rootName", "trace:rootService", "event:name", "event:timeSinceStart"),
    *("link:traceID", "link:spanID", "instrumentation:name", "instrumentation:version", "childCount", "parent"),
    *("nestedSetLeft", "nestedSetRight", "nestedSetParent", "span:childCount", "parent:name"),
)
_SCOPES: Final = (".", "span.", "resource.", "event.", "link.", "instrumentation.", "parent.", "unknown.")
_OPERATORS: Final = ("=", "!=", ">", ">=", "<", "<=", "=~", "!~")
_STRUCTURAL: Final = (
    *(">", ">>", "<", "<<", "~", "!>", "!>>", "!<", "!<<", "!~", "&>", "&>>", "&<", "&<<", "&~", "&&", "||"),
)
_REGULAR: Final = ("a.*", "^$", "(a+)+b", ".{1,1000}", "[", "(?i)get", "\\\\d+", "(?P<x>a)(?P=x)", "a{99999}", "é|ü")
_NUMBERS: Final = ("0", "1", "-1", "200", "3.14", "1e9", "9223372036854775807", "9223372036854775808", "-0.0", "1e400")
_DURATIONS: Final = ("1ns", "5us", "10ms", "1.5s", "1m", "2h", "1h30m", "-1s", "99999999h", "0s")
_STATUSES: Final = ("error", "ok", "unset")
_KINDS: Final = ("server", "client", "internal", "producer", "consumer", "unspecified")
_TEXTS: Final = ("", "GET", "checkout", "a b", "\\n", '\\"', "'", "é", "\u202e", "\U0001f9ea", "%", "{x}", "x" * 300)
_AGGREGATES: Final = ("count()", "avg({})", "min({})", "max({})", "sum({})")
_RANGE_FUNCTIONS: Final = (
    *("rate()", "count_over_time()", "min_over_time({})", "max_over_time({})", "avg_over_time({})"),
    *("sum_over_time({})", "quantile_over_time({}, .5, .99)", "quantile_over_time({}, 2)", "histogram_over_time({})"),
    *("compare({{status = error}})", "compare({{status = error}}, 5)", "compare({{ {} = 1 }}, 10, 1, 2)"),
)
_HINTS: Final = ("", "", "", " with (exemplars=true)", " with (sample=0.1)", " with (most_recent=true)")
_ODD_TOKENS: Final = ("{", "}", "(", ")", "|", "&&", "||", "!", "by(", '"', "`", "nil", ".", "$", ";", "\0")


@dataclass(frozen=True, slots=True)
class Words:
    """Hold what the traces that are asked about really have."""

    attributes: Sequence[tuple[str, str]] = (("http.method", "GET"),)
    services: Sequence[str] = ("checkout",)
    names: Sequence[str] = ("GET /",)


class TraceqlQueries:
    """Make queries, the same ones for the same source of randomness."""

    def __init__(self, random: Random, words: Words) -> None:
        """Take what chooses and what is known."""
        self._random = random
        self._words = words

    def valid(self) -> str:
        """Return a query that the grammar allows."""
        return self._query()

    def hostile(self) -> str:
        """Return a query that somebody got wrong, or made to hurt."""
        trick: Callable[[], str] = self._random.choice(
            (self._edited, self._edited, self._retokened, self._retokened, self._deep, self._wide, self._long)
        )
        return trick()

    def _query(self) -> str:
        chosen = self._random.random()
        if chosen < 0.45:
            return self._spansets(DEPTH_MAX) + self._pipeline()
        if chosen < 0.6:
            return self._filter(DEPTH_MAX)
        return self._filter(2) + self._metrics()

    def _spansets(self, depth: int) -> str:
        if depth == 0 or self._random.random() < 0.4:
            return self._filter(depth)
        left, right = self._spansets(depth - 1), self._spansets(depth - 1)
        joined = f"{left} {self._random.choice(_STRUCTURAL)} {right}"
        return f"({joined})" if self._random.random() < 0.4 else joined

    def _pipeline(self) -> str:
        stages = [self._stage() for _ in range(self._random.choice((0, 0, 1, 1, 2, 3)))]
        return "".join(f" | {stage}" for stage in stages)

    def _stage(self) -> str:
        pick = self._random.choice
        fields = ", ".join(self._field() for _ in range(self._random.randrange(1, 4)))
        scalar = pick(_AGGREGATES).format(self._field())
        choices = (
            f"{scalar} {pick(_OPERATORS[:6])} {pick((*_NUMBERS, *_DURATIONS))}",
            f"by({fields})",
            f"select({fields})",
            "coalesce()",
            self._filter(1),
            f"{scalar} {pick('+-*/^%')} {pick(_NUMBERS)} {pick(_OPERATORS[:6])} {pick(_NUMBERS)}",
        )
        return pick(choices)

    def _metrics(self) -> str:
        pick = self._random.choice
        fields = ", ".join(self._field() for _ in range(self._random.randrange(1, 4)))
        by = pick(("", "", f" by ({fields})"))
        tail = pick(("", "", "", f" | topk({pick(_NUMBERS)})", f" | bottomk({pick(('1', '10'))})", " > 5"))
        return f" | {pick(_RANGE_FUNCTIONS).format(self._field())}{by}{tail}{pick(_HINTS)}"

    def _filter(self, depth: int) -> str:
        if self._random.random() < 0.12:
            return "{}"
        return f"{{ {self._expression(depth)} }}"

    def _expression(self, depth: int) -> str:
        if depth == 0 or self._random.random() < 0.5:
            return self._comparison()
        chosen = self._random.random()
        if chosen < 0.8:
            sign = self._random.choice(("&&", "||"))
            joined = f"{self._expression(depth - 1)} {sign} {self._expression(depth - 1)}"
            return f"({joined})" if self._random.random() < 0.5 else joined
        return f"!({self._expression(depth - 1)})"

    def _comparison(self) -> str:
        pick = self._random.choice
        if self._random.random() < 0.35 and self._words.attributes:
            key, value = pick(self._words.attributes)
            return f'{pick(_SCOPES[:3])}{key} {pick(_OPERATORS[:2])} "{value}"'
        if self._random.random() < 0.1:
            return pick((f"{self._field()} {pick(('=', '!='))} nil", "true", "false", f"!{self._field()}"))
        return f"{self._value()} {pick(_OPERATORS)} {self._value()}"

    def _value(self) -> str:
        if self._random.random() < 0.5:
            return self._field()
        pick = self._random.choice
        texts = (*_TEXTS, *_REGULAR, *self._words.services, *self._words.names)
        scalar = pick((f'"{pick(texts)}"', pick(_NUMBERS), pick(_DURATIONS), pick(_STATUSES), pick(_KINDS), "true"))
        return f"{scalar} {pick('+-*/^')} {pick(_NUMBERS)}" if self._random.random() < 0.08 else scalar

    def _field(self) -> str:
        pick = self._random.choice
        if self._random.random() < 0.5:
            return pick(_INTRINSICS)
        keys = [key for key, _ in self._words.attributes] or ["a"]
        key = pick((*keys, pick(("a", "service.name", '"with space"', "é", "a-b", "0", "x" * 200))))
        return f"{pick(_SCOPES)}{key}"

    def _edited(self) -> str:
        text = list(self._query())
        for _ in range(self._random.randrange(1, 4)):
            place = self._random.randrange(len(text) + 1)
            text[place : place + self._random.randrange(3)] = self._random.choice(_ODD_TOKENS)
        return "".join(text)

    def _retokened(self) -> str:
        tokens = self._query().split(" ")
        place = self._random.randrange(len(tokens))
        other = self._random.choice((*tokens, *_ODD_TOKENS, ""))
        tokens[place : place + self._random.randrange(2)] = [other] * self._random.choice((1, 1, 2))
        return " ".join(tokens)

    def _deep(self) -> str:
        depth = self._random.choice((20, 200, 2_000, 20_000))
        inner = self._comparison()
        return self._random.choice(
            (
                f"{{ {'(' * depth}{inner}{')' * depth} }}",
                f"{{ {'!' * depth}({inner}) }}",
                "(" * depth + "{}" + ")" * depth,
                "{" * depth,
                f"{{ {'-' * depth}1 = 1 }}",
            )
        )

    def _wide(self) -> str:
        count = self._random.choice((10, 100, 1_000, 5_000))
        return self._random.choice(
            (
                " >> ".join(["{}"] * count),
                f"{{ {' || '.join([self._comparison()] * count)} }}",
                "{} | " + " | ".join(["coalesce()"] * count),
                f"{{}} | by({', '.join([self._field()] * count)})",
                f"{{}} | rate() by ({', '.join([self._field()] * count)})",
            )
        )

    def _long(self) -> str:
        size = self._random.choice((300, 3_000, 30_000))
        letter = self._random.choice(("x", "é", "\U0001f9ea", "\\\\", ".", "1"))
        word = letter * size
        return self._random.choice((f'{{ .a = "{word}" }}', f"{{ .{word} = 1 }}", word, f'{{ name =~ "{word}" }}'))
