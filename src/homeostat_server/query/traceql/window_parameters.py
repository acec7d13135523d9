"""The parameters of a stretch of time and of the wider one around it, for the other spans of a trace."""

from typing import Final

from homeostat_server.query.times import NS_PER_S, TIME_NS_MAX
from homeostat_server.store.ports import Parameter

WIDENING_NS: Final = 300 * NS_PER_S
"""How long before and after a stretch the other spans of its traces are looked for: the root's name, the duration of
the whole trace and the number of children are told by those."""


def stretch(first_ns: int, last_ns: int) -> dict[str, Parameter]:
    """Return the parameters of a stretch of time and of the wider one around it."""
    return {
        "first_ns": first_ns,
        "last_ns": last_ns,
        "wide_first_ns": max(0, first_ns - WIDENING_NS),
        "wide_last_ns": min(TIME_NS_MAX, last_ns + WIDENING_NS),
    }
