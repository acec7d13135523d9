import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal, Scope
from homeostat_server.model.signal import Signal
from homeostat_server.model.tenant import DEFAULT_TENANT, TENANT_LENGTH_MAX, parse_tenant


@pytest.mark.parametrize("name", ["default", "acme", "a", "Team-7_x.y*!'()", "x" * TENANT_LENGTH_MAX, "..."])
def test_a_valid_tenant_name_is_kept_as_it_is(name: str) -> None:
    """A name that follows Mimir's rules passes unchanged."""
    assert parse_tenant(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "a|b", "ä", "a\n", "\0", "x" * (TENANT_LENGTH_MAX + 1), "__mimir_cluster"]
)
def test_an_invalid_tenant_name_is_refused_with_the_rule(name: str) -> None:
    """A name that could be a path, a list of tenants or a line of its own is an InvalidRequest that says the rule."""
    with pytest.raises(InvalidRequest, match="A tenant has 1 to 150 characters"):
        parse_tenant(name)


def test_the_default_tenant_is_itself_a_valid_name() -> None:
    """Whoever names nobody gets a tenant that could also be named."""
    assert parse_tenant(DEFAULT_TENANT) == DEFAULT_TENANT


def test_a_principal_may_do_what_its_scopes_say() -> None:
    """A scope that was not granted is not there."""
    sender = Principal(tenant=DEFAULT_TENANT, scopes=frozenset({Scope.INGEST}))
    assert sender.may(Scope.INGEST)
    assert not sender.may(Scope.READ)


def test_there_are_three_signals_and_their_values_are_words_for_paths() -> None:
    """The value of a signal is its folder and its label."""
    assert [str(signal) for signal in Signal] == ["traces", "logs", "metrics"]
