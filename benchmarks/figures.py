"""Figures: what a benchmark measured, against what was wanted, as a table and as JSON. It measures nothing."""

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from homeostat_server.runtime.resources import read_resources

_SIGNIFICANT_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Target:
    """Hold what is wanted of a figure."""

    relation: Literal["≥", "≤", "="]
    value: float

    def is_met(self, value: float) -> bool:
        """Say whether a measured value will do."""
        if self.relation == "=":
            return value == self.value
        return value >= self.value if self.relation == "≥" else value <= self.value


def at_least(value: float) -> Target:
    """Return the target of a figure that has to be large."""
    return Target("≥", value)


def at_most(value: float) -> Target:
    """Return the target of a figure that has to be small."""
    return Target("≤", value)


def exactly(value: float) -> Target:
    """Return the target of a figure that may not be off by one."""
    return Target("=", value)


@dataclass(frozen=True, slots=True)
class Figure:
    """Hold one measured value."""

    name: str
    value: float
    unit: str
    target: Target | None = None

    @property
    def is_met(self) -> bool | None:
        """Say whether the target is met, None without one."""
        return None if self.target is None else self.target.is_met(self.value)

    def document(self) -> dict[str, Any]:
        """Return it as it stands in the JSON file."""
        shown: dict[str, Any] = {"name": self.name, "value": self.value, "unit": self.unit}
        if self.target is not None:
            shown |= {"target": f"{self.target.relation} {self.target.value:g}", "met": self.is_met}
        return shown


@dataclass(frozen=True, slots=True)
class Section:
    """Hold the figures that belong together: one signal through one door, one layout."""

    title: str
    figures: Sequence[Figure]

    def value(self, name: str) -> float:
        """Return the value of a figure by its name."""
        return next(figure.value for figure in self.figures if figure.name == name)


def shown(value: float) -> str:
    """Return a number as people read it: four digits, thousands apart."""
    if value == int(value) or abs(value) >= 10 ** (_SIGNIFICANT_DIGITS - 1):
        return f"{value:,.0f}"
    return f"{value:.{_SIGNIFICANT_DIGITS}g}"


def table(section: Section) -> str:
    """Return a section as lines of text."""
    rows = [(figure.name, shown(figure.value), figure.unit, _verdict(figure)) for figure in section.figures]
    widths = [max(len(row[column]) for row in rows) for column in range(3)] if rows else [0, 0, 0]
    lines = [
        f"  {name:<{widths[0]}}  {value:>{widths[1]}} {unit:<{widths[2]}}  {verdict}".rstrip()
        for name, value, unit, verdict in rows
    ]
    return "\n".join([section.title, *lines])


def _verdict(figure: Figure) -> str:
    if figure.target is None:
        return ""
    wanted = f"{figure.target.relation} {shown(figure.target.value)}"
    return f"{wanted}: {'met' if figure.is_met else 'NOT MET'}"


def surroundings() -> dict[str, Any]:
    """Return what a reader has to know of the machine and the moment."""
    resources = read_resources()
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": platform.platform(),
        "python": platform.python_version(),
        "cpus": resources.cpus,
        "memory_bytes": resources.memory_bytes,
        # Another's work on the same cores shows here: repeat what was measured under load.
        "load_average_1_min": os.getloadavg()[0],
    }


def write_json(path: Path, sections: Sequence[Section], *, before: dict[str, Any]) -> None:
    """Write all sections to a file, with the surroundings as they were before the first."""
    document = {
        "surroundings": before,
        "sections": [
            {"title": section.title, "figures": [figure.document() for figure in section.figures]}
            for section in sections
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
