"""What the records of API keys have to do on every state database."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from homeostat_server.exceptions import Conflict, NotFound
from homeostat_server.model.identity import Scope
from homeostat_server.model.tenant import Tenant
from homeostat_server.store.state.api_keys import ApiKey, ApiKeyRecords
from homeostat_server.store.state.database import StateDatabase

_KEY = ApiKey(
    id="0123456789abcdef",
    secret_sha256="f" * 64,
    tenant=Tenant("Team-1_!.*'()"),
    scopes=frozenset({Scope.INGEST, Scope.READ}),
    comment="for „CI“ ✓",
    created_at_ns=1_767_225_600_123_456_789,
    created_by="ada",
)


@pytest.fixture
def records(database: StateDatabase) -> ApiKeyRecords:
    """Return the records of a new database."""
    return ApiKeyRecords(database)


def _numbered(number: int) -> ApiKey:
    return replace(_KEY, id=f"{number:016x}", created_at_ns=number)


def test_there_are_no_keys_at_first(records: ApiKeyRecords) -> None:
    """An empty table is an empty answer."""
    assert records.newest() == ()


def test_a_key_comes_back_as_it_was(records: ApiKeyRecords) -> None:
    """Every field survives, to the nanosecond and in any script."""
    records.insert(_KEY)
    assert records.newest() == (_KEY,)


def test_an_id_is_taken_once(records: ApiKeyRecords) -> None:
    """A second key of the same id is refused and the first stays."""
    records.insert(_KEY)
    with pytest.raises(Conflict):
        records.insert(replace(_KEY, tenant=Tenant("other")))
    assert records.newest() == (_KEY,)


def test_active_keys_are_bounded_and_revoked_ones_do_not_count(records: ApiKeyRecords) -> None:
    """At the bound a new key is refused until another is revoked."""
    records.insert(_numbered(1), active_max=1)
    with pytest.raises(Conflict, match="Revoke keys"):
        records.insert(_numbered(2), active_max=1)
    records.revoke(_numbered(1).id, at_ns=9)
    records.insert(_numbered(2), active_max=1)


def test_a_revocation_keeps_its_first_moment(records: ApiKeyRecords) -> None:
    """Revoking twice is no error and changes nothing."""
    records.insert(_KEY)
    first = records.revoke(_KEY.id, at_ns=2**60)
    assert first == replace(_KEY, revoked_at_ns=2**60)
    assert records.revoke(_KEY.id, at_ns=2**60 + 1) == first
    assert records.newest() == (first,)


def test_a_key_that_is_not_there_cannot_be_revoked(records: ApiKeyRecords) -> None:
    """An unknown id is an error that names it."""
    with pytest.raises(NotFound, match="nobody"):
        records.revoke("nobody", at_ns=1)


def test_order_and_bounds_of_the_list(records: ApiKeyRecords) -> None:
    """Active keys come by age, then revoked ones with the newest revocation first; each part is cut at its bound."""
    for number in (3, 1, 2, 4, 5, 6):
        records.insert(_numbered(number))
    for number, at_ns in ((4, 10), (5, 30), (6, 20)):
        records.revoke(_numbered(number).id, at_ns=at_ns)
    assert [int(key.id, 16) for key in records.newest()] == [1, 2, 3, 5, 6, 4]
    assert [int(key.id, 16) for key in records.newest(active_max=2, revoked_max=1)] == [1, 2, 5]


def test_last_use_never_goes_back(records: ApiKeyRecords) -> None:
    """Two servers may note the use of a key in either order; unknown ids do no harm."""
    records.insert(_KEY)
    records.touch({_KEY.id: 20, "nobody": 5})
    records.touch({_KEY.id: 10})
    assert records.newest() == (replace(_KEY, last_used_at_ns=20),)


def test_a_scope_of_a_newer_version_grants_nothing(records: ApiKeyRecords, database: StateDatabase) -> None:
    """A word that is not known here is left out, the known ones stay."""
    records.insert(_KEY)
    with database.write() as connection:
        connection.execute(text("UPDATE api_keys SET scopes = 'administer read'"))
    assert records.newest() == (replace(_KEY, scopes=frozenset({Scope.READ})),)


def test_the_hash_is_not_shown(records: ApiKeyRecords) -> None:
    """A record that is logged does not carry even the hash."""
    assert _KEY.secret_sha256 not in repr(_KEY)
