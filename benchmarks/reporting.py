"""The command line that all benchmarks share: run, print a table as soon as there is one, write JSON at the end."""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks.figures import Section, surroundings, table, write_json

RESULTS: Final = Path(__file__).resolve().parent / "results"
"""Ignored by git: figures worth keeping are in docs/benchmarks.md, with what they were measured on."""


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser that knows where results go."""
    made = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}", description=description)
    made.add_argument("--json", type=Path, help=f"file for the figures; {RESULTS.name}/{name}-TIME.json when not given")
    return made


def report(name: str, sections: Iterator[Section], *, json_path: Path | None) -> Sequence[Section]:
    """Print the sections as they come, write them to a file and return them."""
    before = surroundings()
    print(
        f"{name} on {before['cpus']:g} CPUs, {before['machine']}, load {before['load_average_1_min']:.1f}", flush=True
    )
    done = []
    for section in sections:
        print("\n" + table(section), flush=True)
        done.append(section)
    path = json_path or RESULTS / f"{name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}.json"
    write_json(path, done, before=before)
    print(f"\nwritten to {path}", flush=True)
    return done
