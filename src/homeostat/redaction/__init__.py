"""Keep secrets and personal data out of what leaves the process and of what touches a disk. It knows no signal.

Every signal asks one `Redactor`: whether an attribute's name announces a secret, and what of a text may stay. What is
hidden is replaced by `HIDDEN`, so that a reader sees that something was there.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.util.types import AnyValue

from homeostat.redaction.rules import CARD, EMAIL, PARAMETER, SECRET_PARAMETERS, SHAPES, is_card_number, is_secret_name

HIDDEN: Final = "[redacted]"
"""What stands where something was hidden."""

_SHORTEST_SECRET: Final = 8
_SHORTEST_CARD: Final = 13
_TEXT_CHARACTERS_MAX: Final = 65_536  # a longer text is hidden behind this; nobody reads it and looking has a price


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionConfig:
    """Say what is hidden.

    Args:
        enabled: whether anything is hidden at all.
        names: more words that announce a secret, in lower case (`badge` hides `user.badge`).
        visible: whole names of attributes that stay whatever they hold.
        patterns: more regular expressions; what they match is hidden.
        personal: whether e-mail addresses are hidden too.
    """

    enabled: bool = True
    names: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()
    personal: bool = False


class Redactor:
    """Decide what of names, texts and values may be seen. Thread-safe: it has no state that changes.

    Raises:
        re.error: one of the patterns is no regular expression.
    """

    def __init__(self, config: RedactionConfig | None = None) -> None:
        """Compile the rules."""
        config = config or RedactionConfig()
        self._enabled = config.enabled
        self._names = frozenset(name.lower() for name in config.names)
        self._visible = frozenset(config.visible)
        shapes = (*SHAPES, *((EMAIL,) if config.personal else ()))
        self._shapes = tuple(
            (gate, tuple((tuple(marks.split()), re.compile(shape)) for marks, shape in behind))
            for gate, behind in shapes
        )
        self._patterns = tuple(re.compile(pattern) for pattern in config.patterns)

    def hides(self, name: str) -> bool:
        """Say whether everything under this name is hidden."""
        return self._enabled and name not in self._visible and is_secret_name(name, more=self._names)

    def text(self, text: str) -> str:
        """Return a text without what looks like a secret; the same object when there is nothing to hide."""
        if not self._enabled or len(text) < _SHORTEST_SECRET:
            return text
        if text.isalnum() and not self._patterns and "A" not in text and not text.isdigit():
            return text  # an identifier: every shape but those with an A, and card numbers, has something else in it
        if len(text) > _TEXT_CHARACTERS_MAX:
            text = text[:_TEXT_CHARACTERS_MAX] + HIDDEN
        return self._searched(text)

    def _searched(self, text: str) -> str:
        for gate, behind in self._shapes:
            if gate in text:
                text = _redacted(text, behind)
        if "=" in text and _has_secret_parameter(text):
            text = PARAMETER.sub(_without_secret, text)
        if len(text) >= _SHORTEST_CARD:
            text = CARD.sub(_without_card, text)
        for pattern in self._patterns:
            text = pattern.sub(HIDDEN, text)
        return text

    def value(self, value: AnyValue) -> AnyValue:
        """Return an attribute's value with every text in it redacted, and what secret names hold inside it."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {name: HIDDEN if self.hides(name) else self.value(inner) for name, inner in value.items()}
        if isinstance(value, Sequence) and not isinstance(value, bytes):
            return [self.value(inner) for inner in value]
        return value

    def attributes(self, attributes: Mapping[str, AnyValue]) -> dict[str, AnyValue]:
        """Return attributes as they may be seen."""
        return {name: HIDDEN if self.hides(name) else self.value(value) for name, value in attributes.items()}


def _redacted(text: str, shapes: Iterable[tuple[tuple[str, ...], re.Pattern[str]]]) -> str:
    for marks, shape in shapes:
        for mark in marks:
            if mark in text:
                text = shape.sub(_without_secret, text)
                break
    return text


def _has_secret_parameter(text: str) -> bool:
    """Say whether `PARAMETER` could find anything; a tenth of its price."""
    return any(piece.endswith(SECRET_PARAMETERS) for piece in text.lower().split("=")[:-1])


def _without_secret(found: re.Match[str]) -> str:
    return found.groupdict().get("kept", "") + HIDDEN


def _without_card(found: re.Match[str]) -> str:
    return HIDDEN if is_card_number(found[0]) else found[0]
