"""A URL's query without the values that are secret; the names stay.

Source: OpenTelemetry semantic conventions, `url.query`: values of known keys are replaced by `REDACTED`.
"""

from functools import lru_cache
from typing import Final
from urllib.parse import unquote_plus, urlsplit, urlunsplit

from homeostat.redaction.rules import SECRET_PARAMETERS, is_secret_name

REDACTED: Final = "REDACTED"
QUERY_CHARACTERS_MAX: Final = 2_048
_NAME_CHARACTERS_MAX: Final = 128
_NAMES_REMEMBERED: Final = 1_024


def visible_query(query: str) -> str:
    """Return a query, without its question mark, with `REDACTED` for each secret value; cut after 2,048 characters."""
    if len(query) > QUERY_CHARACTERS_MAX:
        query = query[:QUERY_CHARACTERS_MAX]
    return "&".join(_visible_pair(pair) for pair in query.split("&"))


def visible_url(url: str) -> str:
    """Return a URL without user, password and secret values of its query; what is no URL is returned as it is."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    host = parts.netloc.rpartition("@")
    place = f"{REDACTED}:{REDACTED}@{host[2]}" if host[1] else parts.netloc
    return urlunsplit((parts.scheme, place, parts.path, visible_query(parts.query) if parts.query else "", ""))


def _visible_pair(pair: str) -> str:
    name, equals, value = pair.partition("=")
    return f"{name}={REDACTED}" if equals and value and _is_secret(name[:_NAME_CHARACTERS_MAX]) else pair


@lru_cache(maxsize=_NAMES_REMEMBERED)
def _is_secret(name: str) -> bool:
    plain = unquote_plus(name)
    return plain.lower() in SECRET_PARAMETERS or is_secret_name(plain)
