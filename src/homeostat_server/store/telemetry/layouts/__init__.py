"""The layout's history as frozen SQL files; the newest state they lead to is what the catalogue describes."""

from importlib import resources
from typing import Final

from homeostat_server.store.telemetry.migrations import Migration

SEPARATOR: Final = ";\n\n"


def _load(version: int, name: str) -> Migration:
    text = resources.files(__package__).joinpath(f"{version:04}_{name}.sql").read_text(encoding="utf-8")
    return Migration(version=version, name=name, statements=tuple(text.strip().removesuffix(";").split(SEPARATOR)))


MIGRATIONS: Final = (
    _load(1, "spine"),
    _load(2, "denser_spans"),
    _load(3, "weights"),
    _load(4, "trace_summaries"),
    _load(5, "blocks_of_spans"),
)
"""Every step, oldest first."""
