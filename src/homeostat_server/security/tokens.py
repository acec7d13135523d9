"""How an API key is written and found in a request's headers. It does not know whether a key is valid.

A token is `hs_<id>_<secret>`: 16 and 64 hexadecimal digits, the first to look it up, the second 256 random bits. It is
found in `Authorization: Bearer`, in `Authorization: Basic` as the password (all that many OTLP clients can send), in
`X-API-Key`, over HTTP headers and gRPC metadata alike.
"""

import base64
import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from homeostat_server.exceptions import InvalidRequest, Unauthenticated

ID_BYTES: Final = 8
SECRET_BYTES: Final = 32

BASIC_LENGTH_MAX: Final = 512
"""A token and a user name of 200 characters fit; short enough to decode for anybody who asks."""

Headers = Iterable[tuple[str | bytes, str | bytes]]
"""Header names and values as ASGI (`scope["headers"]`) or gRPC (`invocation_metadata()`) gives them."""

_TOKEN: Final = re.compile(r"hs_([0-9a-f]{16})_([0-9a-f]{64})", re.ASCII)
_HINT: Final = "Send the key that `homeostat key create` printed as `Authorization: Bearer hs_…`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """Hold a key as its owner has it; only ever shown once."""

    id: str
    secret: str = field(repr=False)

    def __str__(self) -> str:
        """Return the text that is sent, secret included."""
        return f"hs_{self.id}_{self.secret}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestIdentity:
    """Hold what a request says about its sender, unverified; at most one of each."""

    credential: str | None = field(default=None, repr=False)
    tenant: str | None = None
    host: str | None = None
    origin: str | None = None


def shown_id(key_id: str) -> str:
    """Return the part of a token that lists may show."""
    return f"hs_{key_id}"


def hash_secret(secret: str) -> str:
    """Return what is stored of a secret: SHA-256 in hex. No salt and no stretching: the secret is 256 random bits."""
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def generate_token(*, random_hex: Callable[[int], str] = secrets.token_hex) -> Token:
    """Return a new token; `random_hex` gives twice as many hexadecimal digits as it is asked for bytes."""
    return Token(id=random_hex(ID_BYTES), secret=random_hex(SECRET_BYTES))


def is_token(text: str) -> bool:
    """Say whether the text is written like a token of ours."""
    return _TOKEN.fullmatch(text) is not None


def parse_token(text: str) -> Token:
    """Return the token a text holds.

    Raises:
        Unauthenticated: it is not written like one. The text is not repeated: it may be somebody's password.
    """
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise Unauthenticated("read the API key: it is not written like one", hint=_HINT, reason="malformed")
    return Token(id=match[1], secret=match[2])


def read_identity(headers: Headers) -> RequestIdentity:
    """Return what the headers say about the sender.

    Where several credentials are sent (a proxy may want one of its own), the one written like a key of ours counts.

    Raises:
        Unauthenticated: two different keys of ours are sent.
        InvalidRequest: another of the headers comes twice with different values.
    """
    credentials: list[str] = []
    others: dict[str, str] = {}
    for name, value in headers:
        word = _WORDS.get(name) or _WORDS.get(name.lower())
        if word is None:
            continue
        text = (value if isinstance(value, str) else value.decode("latin-1")).strip()
        if word == "authorization":
            credentials.append(_from_authorization(text))
        elif word == "x-api-key":
            credentials.append(text)
        elif others.setdefault(word, text) != text:
            raise InvalidRequest(f"read the header {word}: it comes twice with different values", value=text)
    return RequestIdentity(
        credential=_only(credentials),
        tenant=others.get("x-scope-orgid"),
        host=others.get("host"),
        origin=others.get("origin"),
    )


_NAMES: Final = ("authorization", "x-api-key", "x-scope-orgid", "host", "origin")
_WORDS: Final[dict[str | bytes, str]] = {name: name for name in _NAMES} | {name.encode(): name for name in _NAMES}


def _only(credentials: list[str]) -> str | None:
    if len(credentials) < 2:
        return credentials[0] if credentials else None
    tokens = {text for text in credentials if is_token(text)}
    if len(tokens) > 1:
        hint = "Send the key once, in one header."
        raise Unauthenticated("choose between two different API keys", hint=hint, reason="ambiguous")
    return tokens.pop() if tokens else credentials[0]


def _from_authorization(text: str) -> str:
    """Return the credential, nothing when there is none in it: whether one is needed is not known here."""
    scheme, _, rest = text.partition(" ")
    match scheme.lower():
        case "bearer":
            return rest.strip()
        case "basic" if len(rest) <= BASIC_LENGTH_MAX:
            return _basic_password(rest.strip())
        case _:
            return ""


def _basic_password(text: str) -> str:
    """Return the password; the user name is free, because some clients insist on one (RFC 7617)."""
    try:
        decoded = base64.b64decode(text, validate=True).decode("utf-8")
    except ValueError:  # both binascii.Error and UnicodeDecodeError
        return ""
    return decoded.partition(":")[2]
