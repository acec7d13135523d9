"""A real Jaeger v2 on free ports, where a binary of it is given; it keeps traces in memory.

It is no package of Debian; `tests/peers/build.sh` builds one from the Go module proxy.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from homeostat.testing import Spans
from homeostat.testing.platform import spans_of
from tests.brokers import free_port
from tests.waiting import until

VARIABLE: Final = "HOMEOSTAT_TEST_JAEGER"
"""Names the binary."""


@dataclass(frozen=True, slots=True)
class Jaeger:
    """Hold where it takes spans, and where it is asked."""

    otlp: str
    query: str

    def trace(self, trace_id: str, *, names: set[str]) -> Spans:
        """Wait until a trace has spans of these names and no parent is missing but one outside, and return it."""

        def complete() -> Spans | None:
            answer = httpx.get(f"{self.query}/api/v3/traces/{trace_id}", trust_env=False)
            spans = spans_of(answer.json()["result"]) if answer.is_success else Spans()
            is_whole = len({span.parent_id for span in spans.roots}) == 1
            return spans if is_whole and names <= set(spans.names) else None

        return until(complete, what=f"spans {names} in Jaeger")


@contextmanager
def running_jaeger(folder: Path) -> Iterator[Jaeger]:
    """Give one that is ready; skip the test where there is no binary."""
    binary = os.environ.get(VARIABLE)
    if not binary:
        pytest.skip(f"{VARIABLE} names no binary of Jaeger v2; tests/peers/build.sh builds one")
    folder.mkdir(parents=True, exist_ok=True)
    otlp, query, grpc = free_port(), free_port(), free_port()
    # YAML reads JSON.
    (folder / "config.yaml").write_text(json.dumps(_configuration(otlp=otlp, query=query, grpc=grpc)))
    with (folder / "jaeger.log").open("wb") as log:
        process = subprocess.Popen([binary, "--config", folder / "config.yaml"], stdout=log, stderr=log)
        try:
            jaeger = Jaeger(f"http://127.0.0.1:{otlp}", f"http://127.0.0.1:{query}")
            until(lambda: _answers(jaeger), what=f"Jaeger ({folder / 'jaeger.log'})")
            yield jaeger
        finally:
            process.kill()
            process.wait()


def _answers(jaeger: Jaeger) -> bool:
    with suppress(httpx.TransportError):
        is_asked = httpx.get(f"{jaeger.query}/api/v3/services", trust_env=False).is_success
        return is_asked and httpx.post(f"{jaeger.otlp}/v1/traces", json={}, trust_env=False).is_success
    return False


def _configuration(*, otlp: int, query: int, grpc: int) -> dict[str, Any]:
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query"],
            "pipelines": {"traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}},
            "telemetry": {"metrics": {"level": "none"}},
        },
        "extensions": {
            "jaeger_storage": {"backends": {"here": {"memory": {"max_traces": 1_000}}}},
            "jaeger_query": {
                "storage": {"traces": "here"},
                "http": {"endpoint": f"127.0.0.1:{query}"},
                "grpc": {"endpoint": f"127.0.0.1:{grpc}"},
            },
        },
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{otlp}"}}}},
        "exporters": {"jaeger_storage_exporter": {"trace_storage": "here"}},
    }
