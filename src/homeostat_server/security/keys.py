"""The API keys of this process: made, revoked, verified. It knows no header and no address.

All active keys are held in memory, so that verifying one touches no disk, and a flood of made-up keys costs nothing.
A thread reads them again every `REFRESH_EVERY_S`: a key that another process makes or revokes is known here after that,
well inside the five seconds that are promised. Verification itself never blocks.
"""

import hmac
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from homeostat_server.exceptions import HomeostatError, InvalidRequest, StateUnavailable, Unauthenticated
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.tenant import Tenant
from homeostat_server.runtime.clock import Clock
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.security.tokens import Token, generate_token, hash_secret, parse_token, shown_id
from homeostat_server.store.state.api_keys import ApiKey, ApiKeyRecords

REFRESH_EVERY_S: Final = 2.0
"""Half of the five seconds promised for a revocation, with room for a slow read."""

TRUSTED_FOR_S: Final = 300.0
"""How long known keys are trusted while the state database is away: telemetry keeps flowing through a restart of it,
but a revocation cannot be ignored for ever. Then everybody is asked to come back (503)."""

USE_NOTED_EVERY_S: Final = 600.0
"""How coarse "last used" is: one small write per key and ten minutes."""

COMMENT_LENGTH_MAX: Final = 200
CREATOR_LENGTH_MAX: Final = 100

_LOG: Final = logging.getLogger(__name__)
_NS_PER_S: Final = 1_000_000_000
_STOP_WAIT_S: Final = 10.0  # the longest a read can take: the wait for a connection, then for its answer


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedKey:
    """Hold a new key and its token, which cannot be had again."""

    key: ApiKey
    token: Token = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Known:
    key: ApiKey
    principal: Principal


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """All that is known at one moment; replaced as a whole, never changed."""

    keys: Mapping[str, _Known]
    read_at_s: float


class KeyRing:
    """Make, list, revoke and verify keys; safe to share between threads."""

    def __init__(
        self,
        records: ApiKeyRecords,
        *,
        clock: Clock,
        telemetry: Telemetry,
        generate: Callable[[], Token] = generate_token,
        refresh_every_s: float = REFRESH_EVERY_S,
    ) -> None:
        """Know no key yet: `start` or `refresh` reads them."""
        self._records = records
        self._clock = clock
        self._generate = generate
        self._refresh_every_s = refresh_every_s
        self._snapshot = _Snapshot({}, float("-inf"))
        # One at a time: a slow read from before a revocation must not replace a newer one.
        self._refreshing = threading.Lock()
        self._used_at_ns: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._refresh_failures = telemetry.counter(
            "homeostat_security_key_refresh_failures_total", "Times the API keys could not be read again."
        )
        telemetry.observe(
            "homeostat_security_key_age_seconds",
            "Time since the API keys were read; over 5 a revocation may not be known yet.",
            read=lambda: [((), self.age_s())],
        )

    def start(self) -> None:
        """Read the keys and go on reading them in the background.

        Raises:
            StateUnavailable: the state database cannot answer now.
        """
        self.refresh()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._keep_refreshing, name="key-refresh", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; keys known now are trusted for `TRUSTED_FOR_S` more. Can be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(timeout=_STOP_WAIT_S)
            self._thread = None

    def age_s(self) -> float:
        """Return the seconds since the keys were read, infinity before the first time."""
        return self._clock.monotonic_s() - self._snapshot.read_at_s

    def refresh(self) -> None:
        """Read the keys again and note which were used.

        Raises:
            StateUnavailable: the state database cannot answer now; the keys known before stay.
        """
        with self._refreshing:
            started_s = self._clock.monotonic_s()
            known = {key.id: _Known(key, _principal(key)) for key in self._records.newest()}
            self._snapshot = _Snapshot(known, started_s)
            self._note_use(known)

    def create(
        self, tenant: Tenant, *, scopes: frozenset[Scope], comment: str = "", created_by: str | None = None
    ) -> CreatedKey:
        """Make a key; the token in the answer is the only copy of its secret.

        Raises:
            InvalidRequest: no scope is given, or a text is too long or cannot be printed.
            Conflict: there are as many active keys as there may be.
            StateUnavailable: the state database cannot take it now.
        """
        if not scopes:
            raise InvalidRequest("make an API key without a scope", hint="Give it ingest, read or both.")
        _refuse_odd_text("comment", comment, length_max=COMMENT_LENGTH_MAX)
        _refuse_odd_text("creator", created_by or "", length_max=CREATOR_LENGTH_MAX)
        token = self._generate()
        key = ApiKey(
            id=token.id,
            secret_sha256=hash_secret(token.secret),
            tenant=tenant,
            scopes=scopes,
            comment=comment,
            created_at_ns=self._clock.now_ns(),
            created_by=created_by,
        )
        self._records.insert(key)
        self.refresh()
        return CreatedKey(key=key, token=token)

    def list(self) -> tuple[ApiKey, ...]:
        """Return the active keys by age, then the newest revoked ones, as the database has them now."""
        return self._records.newest()

    def revoke(self, key_id: str) -> ApiKey:
        """End a key for ever: here at once, in other processes within five seconds.

        Args:
            key_id: `hs_<id>`, the bare id, or the whole token, whose secret is not looked at.

        Raises:
            NotFound: there is no such key.
            StateUnavailable: the state database cannot take it now.
        """
        key = self._records.revoke(key_id.removeprefix("hs_").partition("_")[0], at_ns=self._clock.now_ns())
        self.refresh()
        return key

    def has_active_keys(self) -> bool:
        """Say whether anybody can be let in by a key."""
        return any(known.key.revoked_at_ns is None for known in self._fresh_snapshot().keys.values())

    def has_keys(self) -> bool:
        """Say whether any key exists, revoked ones included: who revokes the last key does not mean to open the door.

        Raises:
            StateUnavailable: it is too long ago that the keys could be read.
        """
        return bool(self._fresh_snapshot().keys)

    def authenticate(self, credential: str) -> Principal:
        """Return whose key this is.

        Raises:
            Unauthenticated: not written like a key, unknown, or revoked; `reason` says which.
            StateUnavailable: it is too long ago that the keys could be read.
        """
        token = parse_token(credential)
        known = self._fresh_snapshot().keys.get(token.id)
        # The same words for a wrong id and a wrong secret; only who has the secret learns that a key was revoked.
        if known is None or not hmac.compare_digest(hash_secret(token.secret), known.key.secret_sha256):
            hint = "Use a key from `homeostat key create`; a new one is known within five seconds."
            raise Unauthenticated("find this API key", value=shown_id(token.id), hint=hint, reason="unknown")
        if known.key.revoked_at_ns is not None:
            hint = "Make another with `homeostat key create`."
            raise Unauthenticated("use a revoked API key", value=shown_id(token.id), hint=hint, reason="revoked")
        self._used_at_ns[token.id] = self._clock.now_ns()
        return known.principal

    def _fresh_snapshot(self) -> _Snapshot:
        snapshot = self._snapshot
        if self._clock.monotonic_s() - snapshot.read_at_s > TRUSTED_FOR_S:
            hint = "The state database cannot be read; try again."
            raise StateUnavailable("verify API keys", hint=hint)
        return snapshot

    def _keep_refreshing(self) -> None:
        while not self._stopping.wait(self._refresh_every_s):
            self._try_refresh()

    def _try_refresh(self) -> None:
        try:
            self.refresh()
        except HomeostatError as error:
            self._refresh_failures.inc()
            _LOG.warning("could not refresh the API keys: %s", error)

    def _note_use(self, known: Mapping[str, _Known]) -> None:
        """Write down the first use in a while of each key. A copy first: requests add to the original meanwhile."""
        due: dict[str, int] = {}
        for key_id, at_ns in self._used_at_ns.copy().items():
            if key_id not in known:
                self._used_at_ns.pop(key_id, None)
            elif at_ns - (known[key_id].key.last_used_at_ns or 0) >= USE_NOTED_EVERY_S * _NS_PER_S:
                due[key_id] = at_ns
        if due:
            self._records.touch(due)


def _principal(key: ApiKey) -> Principal:
    return Principal(tenant=key.tenant, scopes=key.scopes, key_id=key.id)


def _refuse_odd_text(name: str, text: str, *, length_max: int) -> None:
    """Refuse what does not fit, or would write more than text to the terminal of whoever lists keys."""
    if len(text) > length_max or not text.isprintable():
        hint = f"At most {length_max} characters that can be printed, in one line."
        raise InvalidRequest(f"use this {name} for an API key", value=text, hint=hint)
