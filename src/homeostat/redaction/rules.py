"""What counts as a secret or as personal: names of attributes, and shapes inside texts. It replaces nothing.

Names are compared word by word, so that `http.request.header.x-api-key`, `apiKey` and `API_KEY` are one, while
`keyboard` and `tokens` are none. Shapes are those that issuers document for their tokens, HTTP's own credentials
(RFC 9110, RFC 6750), URLs that carry one (RFC 3986), PEM blocks (RFC 7468) and payment card numbers (ISO/IEC 7812 with
its check digit).
"""

import re
from collections.abc import Iterable
from itertools import pairwise
from typing import Final

SECRET_WORDS: Final = frozenset(
    {
        "apikey",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "csrf",
        "cvc",
        "cvv",
        "jwt",
        "passphrase",
        "passwd",
        "password",
        "pwd",
        "secret",
        "secrets",
        "ssn",
        "token",
        "xsrf",
    }
)
"""A name with one of these words holds a secret."""

SECRET_PAIRS: Final = frozenset(
    {
        ("access", "key"),
        ("account", "key"),
        ("api", "key"),
        ("card", "number"),
        ("encryption", "key"),
        ("private", "key"),
        ("secret", "key"),
        ("set", "cookie"),
        ("signing", "key"),
    }
)
"""The same for two words that follow each other."""

HARMLESS_ENDINGS: Final = frozenset(
    {"count", "expiry", "kind", "length", "limit", "max", "min", "name", "size", "total", "type", "usage", "version"}
)
"""What is said about a secret is none: `token_count`, `gen_ai.token.type`."""

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case, whichever way they were joined."""
    return [word.lower() for word in _WORD.findall(name)]


def is_secret_name(name: str, *, more: frozenset[str] = frozenset()) -> bool:
    """Say whether a name announces a secret; `more` are words beyond the known ones."""
    words = words_of(name)
    if not words or words[-1] in HARMLESS_ENDINGS:
        return False
    known = SECRET_WORDS | more
    if any(word in known for word in words):
        return True
    return any(pair in SECRET_PAIRS for pair in pairwise(words))


SECRET_PARAMETERS: Final = (
    "access_token",
    "api_key",
    "api-key",
    "apikey",
    "auth",
    "client_secret",
    "code",
    "credential",
    "id_token",
    "key",
    "passwd",
    "password",
    "pwd",
    "refresh_token",
    "secret",
    "sig",
    "signature",
    "token",
    "x-amz-credential",
    "x-amz-security-token",
    "x-amz-signature",
    "x-goog-signature",
)
"""Names of parameters, in lower case, whose values are hidden in `name=value`."""

PARAMETER: Final = re.compile(
    rf"(?P<kept>(?<![A-Za-z0-9_-])(?i:{'|'.join(map(re.escape, SECRET_PARAMETERS))})=)[^&;\s\"'#]{{1,4096}}"
)

SHAPES: Final[tuple[tuple[str, tuple[tuple[str, str], ...]], ...]] = (
    # A character that has to be in the text; what has to be there, too (or one of several, split at spaces); and what
    # is hidden then, but for a group named `kept`. The first two are only there for speed: a search for fixed
    # characters costs a hundredth of an expression.
    (
        " ",
        (
            ("earer asic igest EARER ASIC", r"(?P<kept>\b(?i:bearer|basic|digest)\s+)[A-Za-z0-9+/=._~-]{8,}"),
            (
                "PRIVATE",
                r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,16384}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)",
            ),
        ),
    ),
    (".", (("eyJ", r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]*)?"),)),
    ("@", (("://", r"(?P<kept>[A-Za-z][A-Za-z0-9+.-]{0,20}://)[^\s/@?#]{1,256}(?=@)"),)),
    (
        "_",
        (
            ("ghp_ gho_ ghu_ ghs_ ghr_", r"\bgh[pousr]_[A-Za-z0-9]{20,255}"),
            ("github_pat_", r"\bgithub_pat_[A-Za-z0-9_]{20,255}"),
            ("_live_ _test_", r"\b[srp]k_(?:live|test)_[A-Za-z0-9]{10,}"),
        ),
    ),
    (
        "-",
        (
            ("glpat-", r"\bglpat-[A-Za-z0-9_-]{20,}"),
            ("xox", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
            ("sk-", r"\bsk-[A-Za-z0-9_-]{20,}"),
        ),
    ),
    (
        "A",
        (
            ("AKIA ASIA", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
            ("AIza", r"\bAIza[0-9A-Za-z_-]{35}"),
        ),
    ),
)

EMAIL: Final = ("@", (("@", r"\b[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+"),))
"""Personal, not secret: hidden when that is asked for."""

CARD: Final = re.compile(r"[2-6](?<![0-9A-Za-z.].)(?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")
"""Twelve to eighteen more digits; most such numbers are none, the check digit decides.

The look-behind comes second because an expression that begins with a set of characters is searched ten times faster.
"""


def is_card_number(digits: Iterable[str]) -> bool:
    """Say whether digits end in the right check digit (ISO/IEC 7812-1, annex B)."""
    total = 0
    for position, digit in enumerate(reversed([int(digit) for digit in digits if digit.isdigit()])):
        value = digit * (1 + position % 2)
        total += value - 9 * (value > 9)
    return total % 10 == 0
