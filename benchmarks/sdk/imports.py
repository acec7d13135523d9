"""What the start costs: `python -m benchmarks.sdk.imports`.

Each figure is of a new interpreter that has done nothing else: the time from before `import homeostat` to after it,
and to after `configure()`; and the memory that became resident meanwhile. The least of several runs, because what
disturbs a run only adds. Beside it the same for the stock SDK set up by hand, and for its packages with FastAPI.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.figures import Figure, Section, at_most
from benchmarks.reporting import parser, report

IMPORT_MS_MAX: Final = 200.0
MEMORY_MIB_MAX: Final = 35.0

_PROGRAM: Final = """
import json, sys, time
def resident():
    with open("/proc/self/statm") as pages:
        return int(pages.read().split()[1]) * 4096
{before}
memory, began = resident(), time.perf_counter()
{what}
print(json.dumps([1000 * (time.perf_counter() - began), (resident() - memory) / 2**20]))
"""

_STOCK: Final = """
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
provider = TracerProvider(resource=Resource.create({"service.name": "x"}))
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
"""

_CONFIGURE: Final = "import homeostat\nhomeostat.configure('x', exit_budget_s=0, buffer=False)"
_APPLICATION: Final = "from fastapi import FastAPI\nimport httpx\napp = FastAPI()"
_HOOK: Final = "import homeostat\nhomeostat.configure('x', app=app, exit_budget_s=0, buffer=False)"
_STOCK_HOOK: Final = f"""{_STOCK}
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
FastAPIInstrumentor.instrument_app(app)
HTTPXClientInstrumentor().instrument()
"""


def sections(runs: int) -> Iterator[Section]:
    """Measure the package, then what a service needs of it."""
    yield Section("import alone", _figures("import homeostat", runs=runs, is_bounded=True))
    yield Section("import and configure()", _figures(_CONFIGURE, runs=runs, is_bounded=True))
    yield Section("the stock SDK with OTLP over HTTP, by hand", _figures(_STOCK, runs=runs))
    yield Section(
        "beside a FastAPI application and httpx, which are there already",
        [
            *_figures(_HOOK, before=_APPLICATION, runs=runs, is_bounded=True),
            *_figures(_STOCK_HOOK, before=_APPLICATION, runs=runs, name="stock "),
        ],
    )


def _figures(what: str, *, runs: int, before: str = "", is_bounded: bool = False, name: str = "") -> list[Figure]:
    program = _PROGRAM.format(before=before, what=what)
    measured = [_measured(program) for _ in range(runs)]
    time_target, memory_target = (at_most(IMPORT_MS_MAX), at_most(MEMORY_MIB_MAX)) if is_bounded else (None, None)
    return [
        Figure(f"{name}time", min(run[0] for run in measured), "ms", time_target),
        Figure(f"{name}memory", min(run[1] for run in measured), "MiB", memory_target),
    ]


def _measured(program: str) -> tuple[float, float]:
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    milliseconds, mebibytes = json.loads(done.stdout)
    return milliseconds, mebibytes


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as the arguments say."""
    options_of = parser("sdk.imports", __doc__)
    options_of.add_argument("--runs", type=int, default=7, help="of each program")
    options = options_of.parse_args(arguments)
    report("sdk-imports", sections(options.runs), json_path=options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
