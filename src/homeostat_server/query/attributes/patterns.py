"""Whether a text is a regular expression: only the engine knows, and it says nothing where it reads no row."""

from collections.abc import Iterable
from typing import Final

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes import sql
from homeostat_server.query.attributes.conditions import PATTERNS, AttributeCondition
from homeostat_server.store.ports import TelemetryReader

HINT: Final = "Patterns are RE2's: https://github.com/google/re2/wiki/Syntax."


def check_patterns(reader: TelemetryReader, *, tenant: Tenant, conditions: Iterable[AttributeCondition]) -> None:
    """Return when the patterns of all conditions are regular expressions.

    Raises:
        InvalidRequest: one is not, or would become too large.
    """
    for condition in conditions:
        if condition.operator in PATTERNS:
            check_pattern(reader, tenant=tenant, pattern=condition.value)


def check_pattern(reader: TelemetryReader, *, tenant: Tenant, pattern: str) -> None:
    """Return when a text is a regular expression.

    Raises:
        InvalidRequest: it is not, or would become too large.
    """
    try:
        reader.read(tenant, sql.PATTERN, {"pattern": pattern})
    except InvalidRequest as error:
        raise InvalidRequest("read a regular expression", value=pattern, hint=HINT) from error
