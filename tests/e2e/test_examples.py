import json
import os
import re
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from tests.answers import normal
from tests.certificates import Certificate, issue
from tests.running import HOMEOSTAT, Platform, running
from tests.shell import Shell, opened
from tests.waiting import until
from tools.documents import CodeBlock, code_blocks, documents, shell_commands

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the examples ask by curl"),
]

BLOCKS = {
    document.path: [*code_blocks(document)]
    for document in documents()
    # Pages for those who write services are programs: tests/e2e/test_sdk_examples.py
    if not document.path.startswith("docs/sdk/")
}
RUN_ELSEWHERE = {
    ("make",): "tests/e2e/demo and every run of the tests",
    ("pip",): "downloads; `make setup` installs the same",
    ("homeostat", "up"): "here, with ports of the test's own",
    (".venv/bin/python",): "in the middle of a test run",
    ("opentelemetry-bootstrap",): "downloads",
    ("opentelemetry-instrument",): "the reader's own program",
}
"""Commands that are not typed here, each with where it runs or why it cannot."""

SEND_BY_VARIABLES = """
import sys
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult
sys.exit(OTLPSpanExporter().export(()) is not SpanExportResult.SUCCESS)
"""
SEND_BY_EXPORTER = """
import sys
from opentelemetry.sdk.trace.export import SpanExportResult
sys.exit(exporter.export(()) is not SpanExportResult.SUCCESS)
"""


def is_run_here(block: CodeBlock) -> bool:
    """Say whether the example is typed into the shell of this test."""
    if block.language == "python":
        return True
    heads = {tuple(words[:length]) for words in shell_commands(block) for length in (1, 2)}
    return block.language == "bash" and not heads & RUN_ELSEWHERE.keys()


PAGES = [path for path, blocks in BLOCKS.items() if any(map(is_run_here, blocks))]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Hold what the pages speak of: a platform on this machine, and one elsewhere with TLS and keys."""

    here: Platform
    there: Platform
    certificate: Certificate

    def placed(self, text: str) -> str:
        """Return an example with the addresses of the two processes."""
        here, there = self.here, self.there
        addresses = {
            "127.0.0.1:4318": f"127.0.0.1:{here.http_port}",
            "127.0.0.1:4317": f"127.0.0.1:{here.grpc_port}",
            "homeostat.example:4318": f"localhost:{there.http_port}",
            "homeostat.example:4317": f"localhost:{there.grpc_port}",
        }
        return re.sub("|".join(map(re.escape, addresses)), lambda found: addresses[found[0]], text)

    def variables(self) -> dict[str, str]:
        """Return what the shell sees: our commands, no proxy, and the data folder of the platform with keys."""
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(self.certificate.authority.parent),
            "HOMEOSTAT_DATA": str(self.there.data),
            "NO_PROXY": "*",
        }

    def settle(self) -> None:
        """Wait until what was sent can be read, and a key that was made is known."""
        self.here.wait_until_stored()
        if self._has_keys():
            until(lambda: self._answer_without_key() == httpx.codes.UNAUTHORIZED)

    def _has_keys(self) -> bool:
        listed = subprocess.run(
            [HOMEOSTAT, "key", "list", "--json", "--data", self.there.data], capture_output=True, text=True, check=True
        )
        return bool(json.loads(listed.stdout))

    def _answer_without_key(self) -> int:
        trust = ssl.create_default_context(cafile=self.certificate.authority)
        url = f"https://localhost:{self.there.http_port}/api/v1/services"
        return httpx.get(url, verify=trust, trust_env=False).status_code


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Surroundings]:
    """Return two processes that all pages share."""
    folder = tmp_path_factory.mktemp("examples")
    certificate = issue(folder)
    with (
        running(folder / "here", spool_gather_ms=0) as here,
        running(folder / "there", tls_certificate=certificate.certificate, tls_key=certificate.key) as there,
    ):
        yield Surroundings(here, there, certificate)


def check_answer(said: str, shown: CodeBlock) -> None:
    """Fail when a page shows another answer than this one."""
    assert normal(json.loads(said)) == normal(json.loads(shown.text)), shown.where


def run_block(shell: Shell, block: CodeBlock, placed: Callable[[str], str]) -> str:
    """Type an example and return its answer; what it prepares for sending has to be able to send."""
    if block.language == "python":
        epilogue = SEND_BY_EXPORTER if re.search(r"^exporter =", block.text, flags=re.MULTILINE) else ""
        return shell.run_python(placed(block.text) + epilogue)
    said = shell.run(placed(block.text))
    if "export OTEL_EXPORTER_OTLP_ENDPOINT" in block.text:
        shell.run_python(SEND_BY_VARIABLES)
    return said


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_work(surroundings: Surroundings, page: str) -> None:
    """Typed one after the other into one shell, each succeeds, and answers as the page shows."""
    with opened(surroundings.certificate.authority.parent, surroundings.variables()) as shell:
        for block, following in pairwise([*BLOCKS[page], CodeBlock("", "", "")]):
            if not is_run_here(block):
                continue
            said = run_block(shell, block, surroundings.placed)
            assert "urn:homeostat:problem" not in said, (block.where, said)
            if following.language == "json":
                check_answer(said, following)
            surroundings.settle()


def test_the_ready_line_is_as_shown(surroundings: Surroundings) -> None:
    """The README shows the line that a process really says."""
    [shown] = [block.text for block in BLOCKS["README.md"] if block.language == "text" and "is ready" in block.text]
    said = surroundings.here.data.with_suffix(".out").read_text()
    assert normal(said.replace(str(surroundings.here.data), "homeostat-data")) == normal(shown)


def test_every_page_with_commands_is_run() -> None:
    """The pages that show commands to a user are among those typed here."""
    assert {"README.md", "docs/operations.md", "docs/otlp.md"} <= set(PAGES)
