"""The process of the load generator: a line of JSON with the load as its argument, then one phase a line.

It prints `ready` when the templates are built, and one line with what came of each phase.
"""

import resource
import sys
import time
from pathlib import Path

from benchmarks.load.grpc import GrpcSender
from benchmarks.load.http import HttpSender
from benchmarks.load.phases import Load, Phase, parse_line
from benchmarks.load.stock import Stock, TraceIds


def main() -> int:
    """Serve the phases of standard input."""
    load = Load(**parse_line(sys.argv[1]))
    stock = Stock(load)
    acknowledged = TraceIds(Path(load.ids_file)).acknowledged if load.ids_file else None
    sender = (HttpSender if load.transport == "http" else GrpcSender)(load, stock, acknowledged=acknowledged)
    print("ready", flush=True)
    for line in sys.stdin:
        phase = Phase(**parse_line(line))
        began_s, used_s = time.time(), _cpu_s()
        tally = sender.run(phase)
        print(tally.sent(seconds=time.time() - began_s, generator_cpu_s=_cpu_s() - used_s).line(), flush=True)
    return 0


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    sys.exit(main())
