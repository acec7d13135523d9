"""The records of API keys. It never sees a secret, only the secret's hash, and decides nobody's access.

A record is never deleted: that a key once existed is what keeps a server from running open again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, func, insert, or_, select, update

from homeostat_server.exceptions import Conflict, NotFound
from homeostat_server.model.identity import Scope
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.state.database import StateDatabase
from homeostat_server.store.state.tables import api_keys

KEYS_MAX: Final = 10_000
"""Active keys: all are held in memory (about 1 kB each) and read again every two seconds (about 30 ms)."""

REVOKED_SHOWN_MAX: Final = 1_000
"""Newest revoked keys that are listed, and known as revoked when they are used; older ones are simply unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """Hold what is known of one key; moments are nanoseconds since the Unix epoch, UTC."""

    id: str
    secret_sha256: str = field(repr=False)
    tenant: Tenant
    scopes: frozenset[Scope]
    comment: str
    created_at_ns: int
    created_by: str | None = None
    revoked_at_ns: int | None = None
    last_used_at_ns: int | None = None


class ApiKeyRecords:
    """Keep the keys in the state database.

    Contract: a record is durable when `insert` or `revoke` returns; `revoke` and `touch` are idempotent; every method
    raises StateUnavailable when the database cannot answer.
    """

    def __init__(self, database: StateDatabase) -> None:
        """Use a database that `open_state` has opened."""
        self._database = database

    def insert(self, key: ApiKey, *, active_max: int = KEYS_MAX) -> None:
        """Add a key.

        Raises:
            Conflict: the id is taken, or `active_max` keys are active already.
        """
        active = select(func.count()).select_from(api_keys).where(api_keys.c.revoked_at_ns.is_(None))
        with self._database.write() as connection:
            if connection.execute(active).scalar_one() >= active_max:
                raise Conflict("make another API key", value=active_max, hint="Revoke keys that are not used.")
            connection.execute(insert(api_keys).values(_columns(key)))

    def newest(self, *, active_max: int = KEYS_MAX, revoked_max: int = REVOKED_SHOWN_MAX) -> tuple[ApiKey, ...]:
        """Return the active keys by age, then the revoked ones, newest revocation first; empty when there are none."""
        revoked_at = api_keys.c.revoked_at_ns
        order = (api_keys.c.created_at_ns, api_keys.c.id)
        active = select(api_keys).where(revoked_at.is_(None)).order_by(*order).limit(active_max)
        revoked = select(api_keys).where(revoked_at.is_not(None)).order_by(revoked_at.desc(), *order).limit(revoked_max)
        with self._database.read() as connection:
            rows = [*connection.execute(active), *connection.execute(revoked)]
        return tuple(_key(row) for row in rows)

    def revoke(self, key_id: str, *, at_ns: int) -> ApiKey:
        """Mark a key as revoked and return it; one that is revoked already keeps its first moment.

        Raises:
            NotFound: there is no such key.
        """
        this = api_keys.c.id == key_id
        mark = update(api_keys).where(this, api_keys.c.revoked_at_ns.is_(None)).values(revoked_at_ns=at_ns)
        with self._database.write() as connection:
            connection.execute(mark)
            row = connection.execute(select(api_keys).where(this)).one_or_none()
        if row is None:
            raise NotFound("revoke an API key", value=key_id, hint="List them: homeostat key list.")
        return _key(row)

    def touch(self, used_at_ns: Mapping[str, int]) -> None:
        """Note when keys were last used, by id; never goes back, unknown ids are ignored."""
        last = api_keys.c.last_used_at_ns
        with self._database.write() as connection:
            for key_id, at_ns in used_at_ns.items():
                is_newer = or_(last.is_(None), last < at_ns)
                connection.execute(
                    update(api_keys).where(api_keys.c.id == key_id, is_newer).values(last_used_at_ns=at_ns)
                )


def _columns(key: ApiKey) -> dict[str, object]:
    return {
        "id": key.id,
        "secret_sha256": key.secret_sha256,
        "tenant": key.tenant,
        "scopes": " ".join(sorted(key.scopes)),
        "comment": key.comment,
        "created_at_ns": key.created_at_ns,
        "created_by": key.created_by,
        "revoked_at_ns": key.revoked_at_ns,
        "last_used_at_ns": key.last_used_at_ns,
    }


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        secret_sha256=row.secret_sha256,
        tenant=Tenant(row.tenant),
        scopes=_scopes(row.scopes),
        comment=row.comment,
        created_at_ns=row.created_at_ns,
        created_by=row.created_by,
        revoked_at_ns=row.revoked_at_ns,
        last_used_at_ns=row.last_used_at_ns,
    )


def _scopes(text: str) -> frozenset[Scope]:
    """Return the scopes this version knows: a word that a newer version wrote grants nothing here."""
    known = {scope.value for scope in Scope}
    return frozenset(Scope(word) for word in text.split() if word in known)
