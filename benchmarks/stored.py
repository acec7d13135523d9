"""What a stopped platform's data folder holds: rows by table and bytes on disk. It changes nothing."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

from benchmarks.bare.store import open_store
from benchmarks.load.phases import parse_line

ITEM_TABLES: Final = {
    "traces": ("spans",),
    "logs": ("logs",),
    "metrics": ("samples", "histograms", "exponential_histograms", "summaries"),
}
"""Tables with one row an item, by signal."""


def count_stored(telemetry: Path, *, signal: str) -> int:
    """Return how many items of a signal a folder holds; in a process of its own, as one folder has one engine."""
    command = [sys.executable, "-m", "benchmarks.stored", str(telemetry)]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = parse_line(answer.stdout)
    return sum(int(rows.get(table, 0)) for table in ITEM_TABLES[signal])


def main() -> int:
    """Print the rows of each table as JSON."""
    store = open_store(Path(sys.argv[1]))
    print(json.dumps({table.table: table.rows for table in store.statistics().tables}))
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
