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

from homeostat_server.exceptions import Unauthenticated

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
    """Hold what a request says about its sender, unverified: each header's values in order, empty when not sent."""

    credentials: tuple[str, ...] = field(default=(), repr=False)
    tenants: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()


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
    """Return what the headers say about the sender; judges nothing."""
    found: dict[str, list[str]] = {"credentials": [], "tenants": [], "hosts": [], "origins": []}
    for name, value in headers:
        meaning = _MEANINGS.get(name) or _MEANINGS.get(name.lower())
        if meaning is None:
            continue
        field_name, read = meaning
        found[field_name].append(read((value if isinstance(value, str) else value.decode("latin-1")).strip()))
    return RequestIdentity(**{field_name: tuple(values) for field_name, values in found.items()})


def choose_credential(credentials: tuple[str, ...]) -> str | None:
    """Return the one that counts, None when there is none.

    Where several are sent (a proxy may want one of its own), it is the one written like a key of ours.

    Raises:
        Unauthenticated: two different keys of ours are sent.
    """
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


_Meaning = tuple[str, Callable[[str], str]]
_MEANINGS_BY_NAME: Final[dict[str, _Meaning]] = {
    "authorization": ("credentials", _from_authorization),
    "x-api-key": ("credentials", str),
    "x-scope-orgid": ("tenants", str),
    "host": ("hosts", str),
    "origin": ("origins", str),
}
# Under both forms, so that the usual header costs one look-up and no decoding.
_MEANINGS: Final[dict[str | bytes, _Meaning]] = {
    form: meaning for name, meaning in _MEANINGS_BY_NAME.items() for form in (name, name.encode())
}
