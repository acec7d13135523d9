"""When a tenant's name is valid. It does not know which tenants exist.

The rules are those of Grafana Mimir, so that whatever sends `X-Scope-OrgID` there can send it here:
https://grafana.com/docs/mimir/latest/configure/about-tenant-ids/
"""

import re
from typing import Final, NewType

from homeostat_server.exceptions import InvalidRequest

Tenant = NewType("Tenant", str)
"""A tenant's name that has passed `parse_tenant`."""

DEFAULT_TENANT: Final = Tenant("default")
"""Who a request belongs to when the server runs open and the sender names nobody."""

TENANT_LENGTH_MAX: Final = 150

TENANT_CHARACTERS: Final = r"A-Za-z0-9!\-_.*'()"
"""What a name is made of, as the inside of a regular expression's character class; all of it ASCII."""

_ALLOWED: Final = re.compile(rf"[{TENANT_CHARACTERS}]{{1,{TENANT_LENGTH_MAX}}}")
# Names that mean something as a folder, or that Mimir keeps for itself, are refused there and so here.
_RESERVED: Final = frozenset({".", "..", "__mimir_cluster"})


def parse_tenant(text: str) -> Tenant:
    """Return the text as a tenant's name.

    Raises:
        InvalidRequest: the text is empty, too long, reserved, or has a character outside `A-Za-z0-9!-_.*'()`.
    """
    if text in _RESERVED or not _ALLOWED.fullmatch(text):
        raise InvalidRequest(
            "use a tenant name",
            value=text,
            hint=f"A tenant has 1 to {TENANT_LENGTH_MAX} characters of A-Z a-z 0-9 ! - _ . * ' ( ) and is not . or ..",
        )
    return Tenant(text)
