"""Which rule is about a root span: the patterns of a plan as regular expressions, and a bounded memory of answers.

It knows patterns and the span's first attributes, not ratios.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from homeostat.sampling.config import RouteRule

SUBJECT_LENGTH_MAX: Final = 1024
"""Of a longer path or name only the beginning is looked at: it comes from outside, and matching takes time."""
ANSWERS_MAX: Final = 2048
"""Paths with ids in them are many; a full memory starts again, which costs one match for each route."""

NONE: Final = -1

_ROUTE: Final = "http.route"
_PATH: Final = "url.path"
_METHOD: Final = "http.request.method"
_SEGMENT: Final = re.compile(r"\{[^{}/]*\}")


class Matcher:
    """Find the first rule that is about a span: by route where it has one, else by name."""

    def __init__(self, rules: Sequence[RouteRule]) -> None:
        """Prepare for these rules."""
        self._routes = _joined({number: rule for number, rule in enumerate(rules) if rule.is_about_http})
        self._names = _joined({number: rule for number, rule in enumerate(rules) if not rule.is_about_http})
        self._answers: dict[str, int] = {}

    def find(self, name: str, attributes: Mapping[str, object] | None) -> int:
        """Return the number of the first rule that matches, `NONE` where none does."""
        path = (attributes.get(_ROUTE) or attributes.get(_PATH)) if attributes else None
        if path is None or attributes is None:
            return self._answer(name, self._names)
        # A method has no line break in it, so no name of a span is taken for a request.
        return self._answer(f"{attributes.get(_METHOD, '')}\n{path}", self._routes)

    def _answer(self, subject: str, expression: re.Pattern[str] | None) -> int:
        known = self._answers.get(subject)
        if known is not None:
            return known
        found = expression.fullmatch(subject[:SUBJECT_LENGTH_MAX]) if expression is not None else None
        answer = NONE if found is None or found.lastgroup is None else int(found.lastgroup[1:])
        if len(subject) <= SUBJECT_LENGTH_MAX:
            if len(self._answers) >= ANSWERS_MAX:
                self._answers = {}
            self._answers[subject] = answer
        return answer


def _joined(rules: Mapping[int, RouteRule]) -> re.Pattern[str] | None:
    """Return one expression whose group names the first rule that takes the whole text."""
    alternatives = [f"(?P<r{number}>{_expression(rule)})" for number, rule in rules.items()]
    return re.compile("|".join(alternatives), re.DOTALL) if alternatives else None


def _expression(rule: RouteRule) -> str:
    """Return the expression of a rule; its time grows with the text's length, not with a power of it."""
    first, *rest = [_piece(piece) for piece in re.split(r"\*+", rule.pattern)]
    before = (re.escape(rule.method) if rule.method else "[^\n]*+") + "\n" if rule.is_about_http else ""
    if not rest:
        return before + first
    *middle, last = rest
    # A piece between two stars is taken where it first fits and is not tried again elsewhere: the star after it takes
    # whatever comes in between.
    return before + first + "".join(f"(?>.*?{piece})" for piece in middle) + f".*{last}"


def _piece(text: str) -> str:
    """Return the expression of what stands between stars: `{…}` is one segment, all else is itself."""
    return "[^/]+?".join(re.escape(part) for part in _SEGMENT.split(text))
