"""Ask for the map of a window, around a service, against another window. It draws nothing itself."""

from dataclasses import dataclass

from homeostat_server.query.service_map.drawing import COLUMNS, ServiceMap, draw
from homeostat_server.query.service_map.focus import ComparedMap, around, compare
from homeostat_server.query.summaries.window import Summaries
from homeostat_server.query.window import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    """Hold which map is asked for.

    Attributes:
        window: what it is about.
        other: what it is compared with.
        service: what it is around; all of it without.
        depth: how many calls away from the service a node may be.
    """

    window: Window
    other: Window | None = None
    service: str | None = None
    depth: int = 1


def service_map(summaries: Summaries, asked: MapRequest) -> ComparedMap | ServiceMap:
    """Return the map, compared when another window is given.

    Raises:
        QueryLimit: too many spans of a window have not been summed up yet.
    """
    now = _drawn(summaries, asked.window)
    if asked.other is None:
        return _around(now, asked)
    # Compared as a whole and then cut: what is gone may have been what made a node a neighbour.
    compared = compare(now, _drawn(summaries, asked.other))
    return ComparedMap(
        now=_around(compared.now, asked), before=compared.before, nodes=compared.nodes, edges=compared.edges
    )


def _drawn(summaries: Summaries, window: Window) -> ServiceMap:
    return draw(summaries.of(window, COLUMNS), window=window)


def _around(drawn: ServiceMap, asked: MapRequest) -> ServiceMap:
    return drawn if asked.service is None else around(drawn, asked.service, depth=asked.depth)
