import base64
from collections.abc import Callable
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from homeostat_server.exceptions import Forbidden, InvalidRequest, StateUnavailable, Unauthenticated
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.security.authentication import Authenticator, Outcome
from homeostat_server.security.binding import Binding
from homeostat_server.security.keys import TRUSTED_FOR_S, KeyRing

_LOOPBACK = Binding(exposed_hosts=())
_EXPOSED = Binding(exposed_hosts=("192.0.2.1",))
_BOTH = frozenset(Scope)
_HOST = ("host", "localhost:4318")

_Make = Callable[[Binding], Authenticator]


@pytest.fixture
def make(ring: KeyRing, telemetry: Telemetry) -> _Make:
    """Return how to make an authenticator for a binding."""
    return lambda binding: Authenticator(ring, binding=binding, telemetry=telemetry)


@pytest.fixture
def key(ring: KeyRing) -> str:
    """Return a key of tenant `owner` that may do everything."""
    return str(ring.create(Tenant("owner"), scopes=_BOTH).token)


@pytest.fixture
def revoked(ring: KeyRing) -> str:
    """Return a key that was revoked."""
    token = str(ring.create(Tenant("t"), scopes=_BOTH).token)
    ring.revoke(token)
    return token


def _counted(telemetry: Telemetry) -> dict[str, float]:
    """Return the outcomes that were counted at all."""
    name = "homeostat_security_authentications_total"
    values = {outcome.value: telemetry.value(name, outcome=outcome.value) for outcome in Outcome}
    return {outcome: value for outcome, value in values.items() if value}


def test_an_open_server_takes_everybody_as_default(make: _Make, telemetry: Telemetry) -> None:
    """On loopback without keys, a request without a tenant is the default tenant's and may do everything."""
    principal = make(_LOOPBACK).authenticate([_HOST], scope=Scope.READ)
    assert principal == Principal(tenant=Tenant("default"), scopes=_BOTH)
    assert _counted(telemetry) == {"open": 1}


@pytest.mark.parametrize("name", ["X-Scope-OrgID", "x-scope-orgid", b"x-scope-orgid"])
def test_an_open_server_takes_the_tenant_from_the_header(make: _Make, name: str | bytes) -> None:
    """HTTP headers and gRPC metadata name the tenant alike."""
    assert make(_LOOPBACK).authenticate([(name, "team-a")], scope=Scope.INGEST).tenant == "team-a"


@pytest.mark.parametrize("tenant", ["", "a/b", "..", "x" * 151, "ä"])
def test_an_open_server_refuses_what_is_no_tenant(make: _Make, telemetry: Telemetry, tenant: str) -> None:
    """An invalid tenant is the sender's mistake, never silently another tenant."""
    with pytest.raises(InvalidRequest, match="tenant"):
        make(_LOOPBACK).authenticate([("x-scope-orgid", tenant)], scope=Scope.INGEST)
    assert _counted(telemetry) == {"invalid_tenant": 1}


def test_several_tenants_at_once_are_refused(make: _Make) -> None:
    """The `a|b` of other systems is refused in words of its own."""
    with pytest.raises(InvalidRequest, match="several tenants"):
        make(_LOOPBACK).authenticate([("x-scope-orgid", "a|b")], scope=Scope.READ)


def test_a_contradicting_tenant_header_is_counted(make: _Make, telemetry: Telemetry) -> None:
    """Two tenants in two headers are refused like any invalid one."""
    with pytest.raises(InvalidRequest):
        make(_LOOPBACK).authenticate([("x-scope-orgid", "a"), ("x-scope-orgid", "b")], scope=Scope.READ)
    assert _counted(telemetry) == {"invalid_tenant": 1}


@pytest.mark.parametrize("value", ["Bearer abc", "Basic dXNlcjpwYXNz", "Negotiate x", "Bearer"])
def test_an_open_server_ignores_other_programs_credentials(make: _Make, value: str) -> None:
    """A client configured for another backend still works where no key is needed."""
    principal = make(_LOOPBACK).authenticate([("authorization", value)], scope=Scope.INGEST)
    assert principal.tenant == "default"


def test_an_open_server_still_verifies_our_own_keys(make: _Make, telemetry: Telemetry) -> None:
    """Who sends a key of ours relies on it: one that is not known here is refused, not waved through."""
    with pytest.raises(Unauthenticated) as caught:
        make(_LOOPBACK).authenticate([("x-api-key", f"hs_{'0' * 16}_{'0' * 64}")], scope=Scope.INGEST)
    assert caught.value.reason == "unknown"
    assert _counted(telemetry) == {"unknown": 1}


@pytest.mark.parametrize("header", [("host", "evil.example"), ("origin", "https://evil.example")])
def test_an_open_server_refuses_pages_of_other_sites(
    make: _Make, telemetry: Telemetry, header: tuple[str, str]
) -> None:
    """Neither a rebound name nor another site's page gets anything, authenticated route or not."""
    authenticator = make(_LOOPBACK)
    with pytest.raises(Forbidden):
        authenticator.authenticate([header], scope=Scope.READ)
    with pytest.raises(Forbidden):
        authenticator.refuse_foreign_page([header])
    assert _counted(telemetry) == {"foreign_page": 2}


def test_a_server_with_keys_is_asked_by_any_name(make: _Make, key: str) -> None:
    """With a key the request proves itself: no page has one, so the names do not matter."""
    headers = [("host", "homeostat.example"), ("origin", "https://ui.example"), ("x-api-key", key)]
    assert make(_LOOPBACK).authenticate(headers, scope=Scope.READ).tenant == "owner"
    make(_LOOPBACK).refuse_foreign_page(headers)


@pytest.mark.parametrize("binding", [_LOOPBACK, _EXPOSED])
def test_from_the_first_key_on_everybody_needs_one(
    make: _Make, *, ring: KeyRing, key: str, binding: Binding, telemetry: Telemetry
) -> None:
    """A key closes the server on loopback too, and revoking the last one does not open it."""
    authenticator = make(binding)
    for _ in range(2):
        with pytest.raises(Unauthenticated) as caught:
            authenticator.authenticate([_HOST, ("x-scope-orgid", "team")], scope=Scope.INGEST)
        assert caught.value.challenge == 'Bearer realm="homeostat"'
        ring.revoke(key)
    assert _counted(telemetry) == {"missing": 2}


def test_an_exposed_server_is_never_open(make: _Make) -> None:
    """Even if it was started without keys, nobody is let in without one."""
    assert not make(_EXPOSED).runs_open()
    with pytest.raises(Unauthenticated):
        make(_EXPOSED).authenticate([], scope=Scope.INGEST)


@pytest.mark.parametrize("forged", ["victim", "a|b", "", "../x"])
def test_a_key_decides_its_tenant(make: _Make, key: str, forged: str, telemetry: Telemetry) -> None:
    """Whatever tenant a header names beside a key is ignored and counted."""
    headers = [("authorization", f"Bearer {key}"), ("x-scope-orgid", forged)]
    assert make(_LOOPBACK).authenticate(headers, scope=Scope.READ).tenant == "owner"
    assert _counted(telemetry) == {"key": 1, "forged_tenant": 1}


def test_naming_one_s_own_tenant_is_no_forgery(make: _Make, key: str, telemetry: Telemetry) -> None:
    """A client may send both, as Grafana does."""
    make(_LOOPBACK).authenticate([("x-api-key", key), ("x-scope-orgid", "owner")], scope=Scope.READ)
    assert _counted(telemetry) == {"key": 1}


@pytest.mark.parametrize("missing", list(Scope))
def test_a_key_without_the_scope_is_forbidden(make: _Make, ring: KeyRing, missing: Scope, telemetry: Telemetry) -> None:
    """A key for the other thing is known, and refused by name and scope."""
    token = ring.create(Tenant("t"), scopes=_BOTH - {missing}).token
    with pytest.raises(Forbidden, match=f"without the scope {missing.value}: hs_{token.id}") as caught:
        make(_EXPOSED).authenticate([("x-api-key", str(token))], scope=missing)
    assert token.secret not in str(caught.value)
    assert _counted(telemetry) == {"scope": 1}


def test_each_refusal_is_counted_by_its_reason(make: _Make, ring: KeyRing, key: str, telemetry: Telemetry) -> None:
    """Operators see why callers are refused."""
    other = str(ring.create(Tenant("t"), scopes=_BOTH).token)
    ring.revoke(other)
    authenticator = make(_LOOPBACK)
    for headers in (
        [("x-api-key", "nonsense")],
        [("x-api-key", f"hs_{'0' * 16}_{'0' * 64}")],
        [("x-api-key", other)],
        [("x-api-key", other), ("authorization", f"Bearer {key}")],
        [],
    ):
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(headers, scope=Scope.INGEST)
    assert _counted(telemetry) == {"malformed": 1, "unknown": 1, "revoked": 1, "ambiguous": 1, "missing": 1}


def test_nobody_is_let_in_when_keys_cannot_be_read(make: _Make, clock: ManualClock) -> None:
    """When it is not known whether keys exist, an open server is not open either."""
    clock.advance(TRUSTED_FOR_S + 1)
    with pytest.raises(StateUnavailable):
        make(_LOOPBACK).authenticate([], scope=Scope.INGEST)


_tenants = st.sampled_from(["owner", "victim", "a|b", "", "x" * 200])
_carriers = st.sampled_from(["bearer", "basic", "x-api-key", "none"])
_kinds = st.sampled_from(["good", "revoked", "unknown", "malformed"])


def _carried(carrier: str, credential: str) -> list[tuple[str, str]]:
    basic = base64.b64encode(f"user:{credential}".encode()).decode()
    headers = {
        "bearer": [("authorization", f"Bearer {credential}")],
        "basic": [("authorization", f"Basic {basic}")],
        "x-api-key": [("x-api-key", credential)],
        "none": [],
    }
    return headers[carrier]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    carrier=_carriers,
    kind=_kinds,
    tenants=st.lists(_tenants, max_size=2),
    host=st.sampled_from(["localhost", "evil.example", None]),
    exposed=st.booleans(),
    order=st.randoms(use_true_random=False),
    as_bytes=st.booleans(),
)
def test_with_keys_only_the_good_key_gets_in_and_only_as_its_owner(
    make: _Make,
    *,
    revoked: str,
    key: str,
    carrier: str,
    kind: str,
    tenants: list[str],
    host: str | None,
    exposed: bool,
    order: Random,
    as_bytes: bool,
) -> None:
    """For every combination and order of headers: the answer is the owner's, or a refusal."""
    credentials = {"good": key, "revoked": revoked, "unknown": f"hs_{'0' * 16}_{'0' * 64}", "malformed": key[:-1]}
    headers = _carried(carrier, credentials[kind]) + [("x-scope-orgid", tenant) for tenant in tenants]
    headers += [("host", host)] if host else []
    order.shuffle(headers)
    sent = [(name.encode(), value.encode()) for name, value in headers] if as_bytes else headers
    authenticator = make(_EXPOSED if exposed else _LOOPBACK)
    if kind == "good" and carrier != "none":
        assert authenticator.authenticate(sent, scope=Scope.READ).tenant == "owner"
    else:
        with pytest.raises(Unauthenticated):
            authenticator.authenticate(sent, scope=Scope.READ)
