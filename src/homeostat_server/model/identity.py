"""Who is asking and what they may do. It does not know how that was found out."""

from dataclasses import dataclass
from enum import StrEnum, unique

from homeostat_server.model.tenant import Tenant


@unique
class Scope(StrEnum):
    """Name what a caller may do."""

    INGEST = "ingest"
    READ = "read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Hold the answer of authentication: whose data, which scopes, by which key (None when the server runs open)."""

    tenant: Tenant
    scopes: frozenset[Scope]
    key_id: str | None = None

    def may(self, scope: Scope) -> bool:
        """Say whether this caller has the scope."""
        return scope in self.scopes
