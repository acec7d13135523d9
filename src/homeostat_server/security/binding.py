"""Whether an address can be reached from other machines, and what follows. It opens no socket.

Bound to loopback alone the server may run open; bound to anything else it needs an API key first. Loopback is no
shelter from web pages in a browser on the same machine (DNS rebinding, cross-site requests), so an open server also
refuses requests that name another host, or come from a page of another host.
"""

import ipaddress
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from homeostat_server.exceptions import AddressUnavailable, Forbidden, UnsafeBinding

Resolve = Callable[[str], Iterable[str]]
"""Give all IP addresses of a host name; raise OSError when there are none."""

_EVERYWHERE: Final = frozenset({"", "*"})
_LOCAL_NAMES: Final = ("localhost", ".localhost")  # RFC 6761: never resolves to anywhere else
_MAKE_A_KEY: Final = "homeostat key create --tenant TENANT --scope ingest --scope read"
_SERVED: Final = f"Without API keys only this machine is served: use localhost, or make a key: {_MAKE_A_KEY}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Say which of the hosts that are listened on can be reached from other machines."""

    exposed_hosts: tuple[str, ...]

    @property
    def is_loopback(self) -> bool:
        """Say whether only this machine can reach any of them."""
        return not self.exposed_hosts


def resolve_host(name: str) -> tuple[str, ...]:
    """Ask the operating system for all IP addresses of a name."""
    return tuple(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))


def examine_binding(hosts: Iterable[str], *, resolve: Resolve = resolve_host) -> Binding:
    """Look at the hosts that will be listened on.

    Raises:
        AddressUnavailable: a name has no address.
    """
    return Binding(exposed_hosts=tuple(host for host in hosts if not is_loopback_host(host, resolve=resolve)))


def refuse_unsafe_binding(binding: Binding, *, has_active_keys: bool) -> None:
    """Refuse to be reachable by others while nobody needs a key.

    Raises:
        UnsafeBinding: other machines can reach it and there is no active key.
    """
    if binding.is_loopback or has_active_keys:
        return
    raise UnsafeBinding(
        "listen beyond this machine without an API key",
        value=", ".join(binding.exposed_hosts),
        hint=f"Make one first: {_MAKE_A_KEY}. Or listen on 127.0.0.1.",
    )


def is_loopback_host(host: str, *, resolve: Resolve = resolve_host) -> bool:
    """Say whether only this machine can reach a host that is listened on; a name counts when all its addresses do.

    Raises:
        AddressUnavailable: the name has no address.
    """
    bare = host.removeprefix("[").removesuffix("]")
    if bare in _EVERYWHERE:
        return False
    if (literal := _ip_address(bare)) is not None:
        return _is_loopback_ip(literal)
    try:
        addresses = [_ip_address(address) for address in resolve(bare)]
    except (OSError, UnicodeError) as error:
        raise AddressUnavailable("resolve the host to listen on", value=host, hint="Use an IP address.") from error
    return bool(addresses) and all(address is not None and _is_loopback_ip(address) for address in addresses)


def refuse_foreign_page(*, hosts: Iterable[str], origins: Iterable[str]) -> None:
    """Refuse a request that a web page of another site may have caused; for a server that runs open.

    A request without a `Host` passes: no browser sends one. Never resolves a name: that is the attack.

    Args:
        hosts: the values of `Host`, each with or without a port; all have to be this machine.
        origins: the values of `Origin`, likewise.

    Raises:
        Forbidden: a header names a host that is not this machine.
    """
    for host in hosts:
        if not _names_this_machine(f"//{host}"):
            raise Forbidden("serve a request whose Host is not this machine", value=host, hint=_SERVED)
    for origin in origins:
        if not _names_this_machine(origin):
            raise Forbidden("serve a request whose Origin is not this machine", value=origin, hint=_SERVED)


def _names_this_machine(url: str) -> bool:
    try:
        parts = urlsplit(url)
        name = (parts.hostname or "").rstrip(".")
        parts.port  # noqa: B018 - raises ValueError when the port is none
    except ValueError:
        return False
    if parts.username is not None or parts.path or parts.query or parts.fragment:
        return False
    literal = _ip_address(name)
    return (
        _is_loopback_ip(literal) if literal is not None else name == _LOCAL_NAMES[0] or name.endswith(_LOCAL_NAMES[1])
    )


def _ip_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def _is_loopback_ip(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    # Before Python 3.13 an IPv4 address written as IPv6 (::ffff:127.0.0.1) does not say what it is.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
