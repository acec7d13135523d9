"""What sampling is told: ratios, rules for routes, what is kept for its own sake, and bounds of the tail."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from homeostat.exceptions import SettingInvalid

RATIO_DEVELOPMENT: Final = 1.0
RATIO_PRODUCTION: Final = 0.1
"""One trace in ten: still thousands an hour from a service with one request a second, and a tenth of the cost."""

RULES_MAX: Final = 100
"""More rules than a person can keep in order; each costs at the first request of a route."""

_PRODUCTION: Final = frozenset({"production", "prod", "live"})
_RULE: Final = re.compile(r"(?:(?P<method>[A-Z]+)\s+)?(?P<pattern>\S(?:.*\S)?)\s*=\s*(?P<ratio>[^=\s]+)")


def default_ratio(environment: str | None) -> float:
    """Return the ratio where nobody set one: 10 % in production, else everything.

    Args:
        environment: the resource's `deployment.environment.name`; None where it is not known, which counts as
            development, because nothing is then lost by surprise.
    """
    is_production = (environment or "").strip().lower() in _PRODUCTION
    return RATIO_PRODUCTION if is_production else RATIO_DEVELOPMENT


@dataclass(frozen=True, slots=True)
class RouteRule:
    """Give the traces that begin at a route, or with a span of a name, a ratio of their own.

    Attributes:
        pattern: with a `/` in front it is about the route or the path of an HTTP request, else about the span's name.
            `{anything}` stands for one segment, `*` for any characters.
        ratio: how many of them to keep, from 0 to 1.
        method: the HTTP method, in capitals; "" for any.
    """

    pattern: str
    ratio: float
    method: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _check_ratio(self.ratio, of=f"the sampling rule {self.pattern!r}")
        if not self.pattern:
            raise SettingInvalid("read a sampling rule", value=self, hint="Its pattern is empty.")
        if self.method and not self.is_about_http:
            raise SettingInvalid("read a sampling rule", value=self, hint="After a method comes a path: GET /orders")

    @property
    def is_about_http(self) -> bool:
        """Say whether the rule is about routes, not about names of spans."""
        return self.pattern.startswith("/")

    @classmethod
    def parse(cls, text: str) -> "RouteRule":
        """Return the rule that is written as `[METHOD ]PATTERN=RATIO`, such as `GET /health*=0`.

        Raises:
            SettingInvalid: when the text is none.
        """
        found = _RULE.fullmatch(text.strip())
        try:
            ratio = float(found["ratio"]) if found else None
        except ValueError:
            ratio = None
        if found is None or ratio is None:
            raise SettingInvalid("read a sampling rule", value=text, hint="Write it as GET /orders/{id}=0.5")
        return cls(pattern=found["pattern"], ratio=ratio, method=found["method"] or "")

    def __str__(self) -> str:
        """Return the rule as it is written."""
        return f"{self.method} {self.pattern}={self.ratio:g}".lstrip()


def parse_rules(text: str) -> tuple[RouteRule, ...]:
    """Return the rules in a text, separated by `;` or new lines; the first one that matches decides.

    Raises:
        SettingInvalid: when one of them cannot be read, or there are more than `RULES_MAX`.
    """
    return tuple(RouteRule.parse(part) for part in re.split(r"[;\n]", text) if part.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class TailConfig:
    """Bound what is held back while a trace is not decided.

    Attributes:
        spans_max: finished spans held at once, over all traces.
        bytes_max: the same in bytes, as estimated from what each span carries (never less than it takes).
        age_s_max: a trace is decided at this age at the latest, by what is known then.
        decisions_max: traces whose "keep all of it" is remembered for spans that end later.
    """

    spans_max: int = 20_000
    bytes_max: int = 64 * 1024 * 1024
    age_s_max: float = 30.0
    decisions_max: int = 10_000

    def __post_init__(self) -> None:
        """Refuse what bounds nothing."""
        if min(self.spans_max, self.bytes_max, self.age_s_max, self.decisions_max) <= 0:
            raise SettingInvalid("bound tail sampling", value=self, hint="Each bound is above zero.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingConfig:
    """Say which traces are kept.

    Attributes:
        ratio: how many of the traces that begin here, from 0 to 1; one that began elsewhere follows its sampled flag.
        rules: ratios of single routes; the first that matches decides, and `ratio` where none does.
        keep_errors: spans that end in an error are kept, whatever the ratio said.
        slow_s: spans that take at least so many seconds are kept as well; None for none.
        tail: hold the spans of a trace back until its local root ends, and keep all of them when one of them erred or
            was slow; None to decide when a trace begins, which costs far less.
    """

    ratio: float = RATIO_DEVELOPMENT
    rules: tuple[RouteRule, ...] = ()
    keep_errors: bool = True
    slow_s: float | None = None
    tail: TailConfig | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        _check_ratio(self.ratio, of="the sampling ratio")
        if self.slow_s is not None and not self.slow_s > 0:
            raise SettingInvalid("set what is slow", value=self.slow_s, hint="It is a number of seconds above zero.")
        if len(self.rules) > RULES_MAX:
            raise SettingInvalid("set sampling rules", value=len(self.rules), hint=f"At most {RULES_MAX} are taken.")


def describe(rules: Iterable[RouteRule]) -> str:
    """Return rules as `parse_rules` reads them."""
    return "; ".join(map(str, rules))


def _check_ratio(ratio: float, *, of: str) -> None:
    if not 0.0 <= ratio <= 1.0:
        raise SettingInvalid(f"set {of}", value=ratio, hint="A ratio is a number from 0 to 1.")
