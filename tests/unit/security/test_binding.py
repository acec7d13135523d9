import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homeostat_server.exceptions import AddressUnavailable, Forbidden, UnsafeBinding
from homeostat_server.security.binding import (
    Binding,
    examine_binding,
    is_loopback_host,
    refuse_foreign_page,
    refuse_unsafe_binding,
    resolve_host,
)

_NAMES = {
    "localhost": ["127.0.0.1", "::1"],
    "scoped": ["fe80::1%eth0"],
    "half": ["127.0.0.1", "192.0.2.1"],
    "away": ["192.0.2.1"],
    "nothing": [],
    "odd": ["not an address"],
}


def _resolve(name: str) -> list[str]:
    if name not in _NAMES:
        raise OSError(name)
    return _NAMES[name]


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.10", "::1", "[::1]", "::ffff:127.0.0.1", "localhost"])
def test_what_only_this_machine_can_reach(host: str) -> None:
    """All of 127.0.0.0/8, the IPv6 loopback, and a name that resolves to nothing else."""
    assert is_loopback_host(host, resolve=_resolve)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "[::]", "", "*", "192.0.2.1", "::ffff:192.0.2.1", "away", "half", "nothing", "odd", "scoped"],  # noqa: S104 - refused
)
def test_what_others_can_reach(host: str) -> None:
    """Every interface, another address, and a name of which any address is another."""
    assert not is_loopback_host(host, resolve=_resolve)


@given(address=st.ip_addresses())
def test_an_address_is_judged_by_its_network(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Only the two loopback networks count, an IPv4 address written as IPv6 included."""
    plain = getattr(address, "ipv4_mapped", None) or address
    network = "127.0.0.0/8" if plain.version == 4 else "::1/128"
    assert is_loopback_host(str(address)) == (plain in ipaddress.ip_network(network))


def test_a_name_without_an_address_is_an_error() -> None:
    """A host that cannot be resolved cannot be listened on, nor judged."""
    with pytest.raises(AddressUnavailable, match="elsewhere"):
        is_loopback_host("elsewhere", resolve=_resolve)
    with pytest.raises(AddressUnavailable):
        is_loopback_host("a" * 64 + ".localhost")


def test_the_operating_system_knows_localhost() -> None:
    """The real resolver gives loopback addresses for the name every machine has."""
    assert resolve_host("localhost")
    assert is_loopback_host("localhost")


def test_one_exposed_host_exposes_the_server() -> None:
    """HTTP and gRPC are judged together, and the answer names which is exposed."""
    assert examine_binding(["127.0.0.1", "localhost"], resolve=_resolve).is_loopback
    binding = examine_binding(["127.0.0.1", "192.0.2.1"], resolve=_resolve)
    assert binding == Binding(exposed_hosts=("192.0.2.1",))
    assert not binding.is_loopback


def test_an_exposed_server_needs_a_key() -> None:
    """Beyond loopback it refuses to start until a key exists, and says how to make one."""
    exposed = Binding(exposed_hosts=("192.0.2.1",))
    with pytest.raises(UnsafeBinding, match=r"192\.0\.2\.1.*homeostat key create --tenant TENANT --scope ingest"):
        refuse_unsafe_binding(exposed, has_active_keys=False)
    refuse_unsafe_binding(exposed, has_active_keys=True)
    refuse_unsafe_binding(Binding(exposed_hosts=()), has_active_keys=False)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:4318", "localhost.", "127.0.0.1:4318", "[::1]:4318", "app.localhost:80", "[::1%lo]"],
)
def test_requests_to_this_machine_are_served(host: str) -> None:
    """The names of this machine pass, with or without port."""
    refuse_foreign_page(hosts=[host], origins=[])


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:4318",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evillocalhost",
        "192.0.2.1",
        "0.0.0.0:4318",
        "",
        "localhost/x",
        "x@localhost",
        "localhost\\@evil.example",
        "localhost:port",
        "localhost:99999",
        "localhost?x",
        "localhost#x",
        "[::1",
        "localhost, evil.example",
    ],
)
def test_requests_to_other_names_are_refused(host: str) -> None:
    """A name that was pointed at this machine (DNS rebinding) or is no host at all is refused, with what to do."""
    with pytest.raises(Forbidden, match="homeostat key create"):
        refuse_foreign_page(hosts=[host], origins=[])


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"])
def test_pages_of_this_machine_may_ask(origin: str) -> None:
    """A page served from this machine may use the open server."""
    refuse_foreign_page(hosts=["localhost:4318"], origins=[origin])


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "chrome-extension://abc", "http://localhost/x"])
def test_pages_of_other_sites_may_not_ask(origin: str) -> None:
    """A browser says where a page came from; another site's may neither read nor write."""
    with pytest.raises(Forbidden, match="Origin"):
        refuse_foreign_page(hosts=["localhost:4318"], origins=[origin])


def test_a_request_that_says_neither_is_served() -> None:
    """No browser leaves out Host, so what does is a program on this machine."""
    refuse_foreign_page(hosts=[], origins=[])


def test_each_of_several_values_is_judged() -> None:
    """A good Host does not cover for a bad one beside it."""
    with pytest.raises(Forbidden, match="evil"):
        refuse_foreign_page(hosts=["localhost", "evil.example"], origins=[])


@given(text=st.text(max_size=40))
def test_any_text_is_served_or_forbidden(text: str) -> None:
    """No Host or Origin makes anything but an answer or a refusal."""
    for hosts, origins in (([text], []), ([], [text])):
        try:
            refuse_foreign_page(hosts=hosts, origins=origins)
        except Forbidden as error:
            assert error.status == 403
