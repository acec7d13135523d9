"""From a request's headers to who is asking, for HTTP and gRPC alike. It knows no framework and no wire format.

    a key is sent            the key decides tenant and scopes; an `X-Scope-OrgID` beside it decides nothing, and is
                             counted when it says otherwise
    none, server runs open   tenant from `X-Scope-OrgID`, else `default`; both scopes; for this machine's requests only
    none, otherwise          401

The server runs open when it listens on loopback alone and no key was ever made. From the first key on, everybody needs
one, also on loopback, and revoking the last key does not open it again.
"""

from enum import StrEnum, unique
from typing import Final

from homeostat_server.exceptions import Forbidden, InvalidRequest, Unauthenticated
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import DEFAULT_TENANT, parse_tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.binding import Binding, refuse_foreign_page
from homeostat_server.security.keys import KeyRing
from homeostat_server.security.tokens import (
    Headers,
    RequestIdentity,
    choose_credential,
    is_token,
    read_identity,
    shown_id,
)

_EVERY_SCOPE: Final = frozenset(Scope)
_OPEN_DEFAULT: Final = Principal(tenant=DEFAULT_TENANT, scopes=_EVERY_SCOPE)
_SEND_A_KEY: Final = "Send an API key as `Authorization: Bearer hs_…`; make one with `homeostat key create`."


@unique
class Outcome(StrEnum):
    """Name how a request's authentication ended, or (the last) what was ignored on the way."""

    KEY = "key"
    OPEN = "open"
    MISSING = "missing"
    MALFORMED = "malformed"
    AMBIGUOUS = "ambiguous"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    INVALID_TENANT = "invalid_tenant"
    FOREIGN_PAGE = "foreign_page"
    SCOPE = "scope"
    FORGED_TENANT = "forged_tenant"


class Authenticator:
    """Decide who is asking; holds no state of its own, safe to share between threads."""

    def __init__(self, keys: KeyRing, *, binding: Binding, telemetry: Telemetry) -> None:
        """Take the keys and where the server listens."""
        self._keys = keys
        self._binding = binding
        counter = telemetry.counter(
            "homeostat_security_authentications_total",
            "Requests by how their authentication ended; forged_tenant is counted beside another outcome.",
            labels=("outcome",),
        )
        self._counters = {outcome: counter.labels(outcome=outcome.value) for outcome in Outcome}

    def runs_open(self) -> bool:
        """Say whether requests are served without a key.

        Raises:
            StateUnavailable: it is too long ago that the keys could be read.
        """
        return self._binding.is_loopback and not self._keys.has_keys()

    def authenticate(self, headers: Headers, *, scope: Scope) -> Principal:
        """Return who is asking for something that needs the scope; takes some microseconds and never blocks.

        Args:
            headers: names and values as ASGI or gRPC gives them, in any case.
            scope: what the caller wants to do.

        Raises:
            Unauthenticated: no key where one is needed, or one that is not valid.
            Forbidden: the key lacks the scope, or an open server is asked by a page of another site.
            InvalidRequest: an open server is given no valid tenant, or several.
            StateUnavailable: it is too long ago that the keys could be read.
        """
        principal = self._identify(headers)
        if not principal.may(scope):
            self._count(Outcome.SCOPE)
            raise Forbidden(
                f"use an API key without the scope {scope.value}",
                value=shown_id(principal.key_id or ""),
                hint=f"It has: {', '.join(sorted(principal.scopes))}. Make one that may {scope.value}.",
            )
        self._count(Outcome.KEY if principal.key_id else Outcome.OPEN)
        return principal

    def refuse_foreign_page(self, headers: Headers) -> None:
        """Protect what is served without authentication (health, metrics, pages) while the server runs open.

        Raises:
            Forbidden: the request names, or its page comes from, another host.
        """
        if self.runs_open():
            self._guard_open(read_identity(headers))

    def _identify(self, headers: Headers) -> Principal:
        """Return who is asking, and count why not."""
        identity = read_identity(headers)
        try:
            credential = choose_credential(identity.credentials)
            if not self.runs_open():
                return self._by_key(credential, tenants=identity.tenants)
            self._guard_open(identity)
            # A key of ours is verified even here: its sender relies on it. Other programs' credentials mean nothing.
            if credential is not None and is_token(credential):
                return self._by_key(credential, tenants=identity.tenants)
            return _by_tenant_header(identity.tenants)
        except Unauthenticated as error:
            self._count(Outcome(error.reason))
            raise
        except InvalidRequest:
            self._count(Outcome.INVALID_TENANT)
            raise

    def _by_key(self, credential: str | None, *, tenants: tuple[str, ...]) -> Principal:
        if credential is None:
            raise Unauthenticated("answer without an API key", hint=_SEND_A_KEY)
        principal = self._keys.authenticate(credential)
        if any(tenant != principal.tenant for tenant in tenants):
            self._count(Outcome.FORGED_TENANT)
        return principal

    def _guard_open(self, identity: RequestIdentity) -> None:
        try:
            refuse_foreign_page(hosts=identity.hosts, origins=identity.origins)
        except Forbidden:
            self._count(Outcome.FOREIGN_PAGE)
            raise

    def _count(self, outcome: Outcome) -> None:
        self._counters[outcome].inc()


def _by_tenant_header(tenants: tuple[str, ...]) -> Principal:
    if not tenants:
        return _OPEN_DEFAULT
    text = tenants[0]
    if "|" in text or any(other != text for other in tenants):
        hint = "X-Scope-OrgID names one tenant; several at once cannot be asked."
        raise InvalidRequest("use several tenants in one request", value="|".join(tenants), hint=hint)
    return Principal(tenant=parse_tenant(text), scopes=_EVERY_SCOPE)
