"""Values of what every span has beside its attributes. It knows no query language."""

from homeostat_server.query.completion.listing import Spans
from homeostat_server.query.intrinsics import sql
from homeostat_server.query.rows import text
from homeostat_server.store.ports import TelemetryReader


def list_intrinsic_values(reader: TelemetryReader, *, spans: Spans, field: str, values_max: int) -> list[str]:
    """Return the values of a field, one of `sql.COLUMNS`, the most frequent first."""
    parameters = {
        "tenant": spans.tenant,
        "rows": values_max,
        **spans.window.parameters(),
        **spans.binder.parameters,
    }
    rows = reader.read(spans.tenant, sql.values(field, spans.choice), parameters)
    return [text(row["value"]) for row in rows]
