"""Names that a search begins with: services, and the operations of one. It counts nothing."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.jaeger import sql
from homeostat_server.query.rows import integer, text
from homeostat_server.query.times import NS_PER_S
from homeostat_server.query.window import Window
from homeostat_server.store.ports import Parameter, TelemetryReader

NAMES_MAX: Final = 10_000
"""Services, or operations of one, of one answer; a list to choose from is not read further."""

LOOK_BACK_S: Final = 3 * 86_400
"""How far back names come from: those questions say no time. Jaeger looks through three days of an index, too."""


@dataclass(frozen=True, slots=True)
class Operation:
    """Hold a span's name and its kind, OTLP's number."""

    name: str
    kind: int


def names_window(*, now_ns: int) -> Window:
    """Return where names are looked for."""
    return Window(max(0, now_ns - LOOK_BACK_S * NS_PER_S), now_ns + 1)


def list_service_names(reader: TelemetryReader, *, tenant: Tenant, window: Window) -> list[str]:
    """Return the services that sent anything since the window began, by name."""
    parameters: dict[str, Parameter] = {"tenant": tenant, "since_s": window.start_ns // NS_PER_S, "rows": NAMES_MAX}
    return [text(row["service"]) for row in reader.read(tenant, sql.SERVICES, parameters)]


def list_operation_names(
    reader: TelemetryReader, *, tenant: Tenant, window: Window, service: str, kind: int | None = None
) -> list[Operation]:
    """Return the operations that a service has in the window, by name and kind."""
    parameters: dict[str, Parameter] = {
        "tenant": tenant,
        **window.parameters(),
        "service": service,
        "rows": NAMES_MAX,
        **({} if kind is None else {"kind": kind}),
    }
    rows = reader.read(tenant, sql.operations(of_kind=kind is not None), parameters)
    return [Operation(text(row["name"]), integer(row["kind"])) for row in rows]
