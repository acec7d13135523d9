"""The process of the bare engine: `python -m benchmarks.bare FOLDER`, then one segment a line as JSON.

It prints `ready`, and a line after each segment that is stored. Whoever writes the segments waits for that, so that
making them is not counted to this process.
"""

import sys
from pathlib import Path

from benchmarks.bare.store import open_store
from benchmarks.load.phases import parse_line
from homeostat_server.model.segment import SealedSegment
from homeostat_server.model.signal import Signal


def main() -> int:
    """Store the segments of standard input."""
    store = open_store(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        fields = parse_line(line)
        store.insert_segment(
            SealedSegment(
                signal=Signal(fields["signal"]),
                number=fields["number"],
                path=Path(fields["path"]),
                records=fields["records"],
                size_bytes=fields["size_bytes"],
            )
        )
        print("stored", flush=True)
    store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
