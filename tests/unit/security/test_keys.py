import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from homeostat_server.exceptions import Conflict, InvalidRequest, NotFound, StateUnavailable, Unauthenticated
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.runtime.testing import ManualClock
from homeostat_server.security.keys import REFRESH_EVERY_S, TRUSTED_FOR_S, USE_NOTED_EVERY_S, CreatedKey, KeyRing
from homeostat_server.security.tokens import Token
from homeostat_server.store.state.api_keys import ApiKey, ApiKeyRecords
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.dsn import default_state_dsn
from homeostat_server.store.state.migration import open_state

_TENANT = Tenant("team")
_INGEST = frozenset({Scope.INGEST})


class _UnreliableRecords(ApiKeyRecords):
    """Answer like the real records until told to fail, and tell when they were read."""

    def __init__(self, database: StateDatabase) -> None:
        super().__init__(database)
        self.fails = False
        self.was_read = threading.Semaphore(0)

    def newest(self, **bounds: int) -> tuple[ApiKey, ...]:
        self.was_read.release()
        if self.fails:
            raise StateUnavailable("read the state")
        return super().newest(**bounds)


@pytest.fixture
def records(database: StateDatabase) -> _UnreliableRecords:
    """Return records that can be told to fail."""
    return _UnreliableRecords(database)


def _reason(refused: Callable[[], object]) -> str:
    with pytest.raises(Unauthenticated) as caught:
        refused()
    return caught.value.reason


def _other(token: Token, **parts: str) -> str:
    return str(replace(token, **parts))


def test_a_key_says_whose_it_is_and_what_it_may(ring: KeyRing) -> None:
    """A new key is known at once, with its tenant, scopes and id."""
    created = ring.create(_TENANT, scopes=_INGEST)
    principal = ring.authenticate(str(created.token))
    assert principal == Principal(tenant=_TENANT, scopes=_INGEST, key_id=created.key.id)
    assert principal.may(Scope.INGEST)
    assert not principal.may(Scope.READ)


def test_what_is_kept_of_a_key(ring: KeyRing, clock: ManualClock) -> None:
    """The list holds everything but the secret, which is nowhere on disk."""
    created = ring.create(_TENANT, scopes=frozenset(Scope), comment="CI box", created_by="ada")
    assert ring.list() == (created.key,)
    kept = created.key
    assert (kept.comment, kept.created_by, kept.created_at_ns) == ("CI box", "ada", clock.now_ns())
    assert created.token.secret not in f"{created} {kept}"


def test_the_secret_is_not_on_disk(ring: KeyRing, tmp_path: Path) -> None:
    """Who steals the database file has no key."""
    secret = ring.create(_TENANT, scopes=_INGEST).token.secret
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.iterdir() if file.is_file())


def test_each_refusal_has_its_reason(ring: KeyRing) -> None:
    """Not a key, an unknown id, a wrong secret and a revoked key are told apart, the middle two not from each other."""
    created = ring.create(_TENANT, scopes=_INGEST)
    ring.create(_TENANT, scopes=_INGEST)
    assert _reason(lambda: ring.authenticate("hunter2")) == "malformed"
    assert _reason(lambda: ring.authenticate(_other(created.token, id="f" * 16))) == "unknown"
    assert _reason(lambda: ring.authenticate(_other(created.token, secret="f" * 64))) == "unknown"
    ring.revoke(created.key.id)
    assert _reason(lambda: ring.authenticate(str(created.token))) == "revoked"
    assert _reason(lambda: ring.authenticate(_other(created.token, secret="f" * 64))) == "unknown"


def test_a_refusal_shows_no_secret(ring: KeyRing) -> None:
    """The error names the id, never the secret, and carries the challenge of RFC 6750."""
    token = Token(id="0" * 16, secret="1" * 64)
    with pytest.raises(Unauthenticated) as caught:
        ring.authenticate(str(token))
    assert token.secret not in str(caught.value)
    assert "hs_0000000000000000" in str(caught.value)
    assert caught.value.challenge == 'Bearer realm="homeostat", error="invalid_token"'


@pytest.mark.parametrize("write", [lambda c: c.key.id, lambda c: f"hs_{c.key.id}", lambda c: str(c.token)])
def test_a_key_is_revoked_by_any_of_its_names(ring: KeyRing, write: Callable[[CreatedKey], str]) -> None:
    """The id, what the list shows and the whole token all name the key."""
    created = ring.create(_TENANT, scopes=_INGEST)
    assert ring.revoke(write(created)).revoked_at_ns is not None
    assert not ring.has_active_keys()
    assert ring.has_keys()


def test_a_mistyped_token_is_not_repeated(ring: KeyRing) -> None:
    """Revoking a token that does not exist names its id only."""
    token = Token(id="0" * 16, secret="1" * 64)
    with pytest.raises(NotFound) as caught:
        ring.revoke(str(token))
    assert token.secret not in str(caught.value)


@pytest.mark.parametrize("comment", ["x" * 201, "two\nlines", "\x1b[2J"])
def test_comments_that_do_not_fit_or_print_are_refused(ring: KeyRing, comment: str) -> None:
    """A comment is one printable line: listing keys must not drive somebody's terminal."""
    with pytest.raises(InvalidRequest, match="comment"):
        ring.create(_TENANT, scopes=_INGEST, comment=comment)


def test_a_key_that_may_nothing_is_refused(ring: KeyRing) -> None:
    """A key has a scope."""
    with pytest.raises(InvalidRequest, match="without a scope"):
        ring.create(_TENANT, scopes=frozenset())


def test_an_id_that_is_taken_is_no_key(records: _UnreliableRecords, clock: ManualClock, telemetry: Telemetry) -> None:
    """Should chance give the same id twice, the second key is refused and the first still works."""
    tokens = iter([Token(id="0" * 16, secret="1" * 64), Token(id="0" * 16, secret="2" * 64)])
    ring = KeyRing(records, clock=clock, telemetry=telemetry, generate=lambda: next(tokens))
    first = ring.create(_TENANT, scopes=_INGEST)
    with pytest.raises(Conflict):
        ring.create(_TENANT, scopes=_INGEST)
    assert ring.authenticate(str(first.token)).tenant == _TENANT


def test_another_process_s_changes_are_known_after_a_refresh(ring: KeyRing, tmp_path: Path) -> None:
    """What `homeostat key` does beside the server is known when the keys are read again."""
    elsewhere = open_state(default_state_dsn(tmp_path))
    other = KeyRing(ApiKeyRecords(elsewhere), clock=SystemClock(), telemetry=Telemetry())
    created = other.create(_TENANT, scopes=_INGEST)
    assert _reason(lambda: ring.authenticate(str(created.token))) == "unknown"
    ring.refresh()
    assert ring.authenticate(str(created.token)).key_id == created.key.id
    other.revoke(created.key.id)
    ring.refresh()
    assert _reason(lambda: ring.authenticate(str(created.token))) == "revoked"
    elsewhere.close()


def test_the_thread_reads_again_and_again(records: _UnreliableRecords, telemetry: Telemetry) -> None:
    """Between start and stop the keys are read again by themselves, also after a failure, which is counted."""
    ring = KeyRing(records, clock=SystemClock(), telemetry=telemetry, refresh_every_s=0.001)
    ring.start()
    records.fails = True
    for _ in range(5):
        assert records.was_read.acquire(timeout=10)
    records.fails = False
    for _ in range(3):
        assert records.was_read.acquire(timeout=10)
    ring.stop()
    ring.stop()
    assert telemetry.value("homeostat_security_key_refresh_failures_total") >= 1
    assert ring.age_s() < 10


def test_a_revocation_is_known_in_five_seconds() -> None:
    """The promise leaves a read at least as much time as the wait before it."""
    assert REFRESH_EVERY_S * 2 < 5


def test_a_ring_that_cannot_read_at_start_does_not_start(records: _UnreliableRecords, telemetry: Telemetry) -> None:
    """Without the keys nobody could be told from anybody."""
    records.fails = True
    with pytest.raises(StateUnavailable):
        KeyRing(records, clock=SystemClock(), telemetry=telemetry).start()


def test_known_keys_are_trusted_for_a_while(
    records: _UnreliableRecords, clock: ManualClock, telemetry: Telemetry
) -> None:
    """When the database is away keys go on working, but not for ever: then all are asked to come back."""
    ring = KeyRing(records, clock=clock, telemetry=telemetry)
    token = str(ring.create(_TENANT, scopes=_INGEST).token)
    records.fails = True
    clock.advance(TRUSTED_FOR_S)
    with pytest.raises(StateUnavailable):
        ring.refresh()
    assert ring.authenticate(token).tenant == _TENANT
    clock.advance(1)
    for ask in (lambda: ring.authenticate(token), ring.has_keys, ring.has_active_keys):
        with pytest.raises(StateUnavailable) as caught:
            ask()
        assert caught.value.retry_after_s > 0
    records.fails = False
    ring.refresh()
    assert ring.authenticate(token).tenant == _TENANT


def test_a_ring_that_never_read_trusts_nobody(
    records: _UnreliableRecords, clock: ManualClock, telemetry: Telemetry
) -> None:
    """Before the first read it is not known whether there are keys, so nothing is open."""
    ring = KeyRing(records, clock=clock, telemetry=telemetry)
    with pytest.raises(StateUnavailable):
        ring.has_keys()
    assert telemetry.value("homeostat_security_key_age_seconds") == float("inf")


def test_last_use_is_noted_coarsely(ring: KeyRing, clock: ManualClock) -> None:
    """The first use is noted at the next refresh, further ones once in a while, and unused keys never."""
    token = str(ring.create(_TENANT, scopes=_INGEST).token)
    clock.advance(1)
    ring.create(_TENANT, scopes=_INGEST)
    first_ns = clock.now_ns()
    for moment_s in (0, USE_NOTED_EVERY_S - 1):
        clock.advance(moment_s)
        ring.refresh()
        ring.authenticate(token)
        ring.refresh()
        assert [key.last_used_at_ns for key in ring.list()] == [first_ns, None]
    clock.advance(1)
    ring.refresh()
    ring.authenticate(token)
    ring.refresh()
    assert ring.list()[0].last_used_at_ns == clock.now_ns()


def test_uses_of_keys_that_are_gone_are_forgotten(ring: KeyRing, database: StateDatabase) -> None:
    """What is remembered of uses is bounded by the keys there are."""
    token = str(ring.create(_TENANT, scopes=_INGEST).token)
    ring.authenticate(token)
    with database.write() as connection:
        connection.exec_driver_sql("DELETE FROM api_keys")
    ring.refresh()
    assert ring._used_at_ns == {}
    assert _reason(lambda: ring.authenticate(token)) == "unknown"
