"""The pages for those who write services: everything on them is done, in the order in which it stands there."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

import homeostat.testing
from tests.answers import normal
from tests.brokers import amqp_url, free_port, kafka_address, nats_url, redis_url
from tests.running import Platform, running
from tests.shell import Shell, opened
from tests.waiting import until
from tools.documents import CodeBlock, code_blocks, documents, shell_commands
from tools.sources import ROOT

__all__ = ["amqp_url", "kafka_address", "nats_url", "redis_url"]

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the examples ask by curl"),
]

BLOCKS = {
    document.path: list(code_blocks(document))
    for document in documents()
    if document.path.startswith("docs/sdk/") and document.path != "docs/sdk/settings.md"
}
PAGES = [path for path, blocks in BLOCKS.items() if any(block.language in {"python", "bash"} for block in blocks)]

RUN_ELSEWHERE = {
    ("pip",): "downloads",
    ("homeostat", "up"): "here, with ports of the test's own",
    ("homeostat", "overhead"): "takes long; tests/unit/sdk/overhead",
}
"""Commands that are not typed here, each with why."""

BROKERS = {
    "nats://127.0.0.1:4222": "nats_url",
    "redis://127.0.0.1:6379/0": "redis_url",
    "amqp://guest:guest@127.0.0.1:5672/": "amqp_url",
    "127.0.0.1:9092": "kafka_address",
}
"""Addresses in examples, each with the fixture of a real server that stands for it."""

NAMED = re.compile(r"\A# (\w+\.py)\n")
"""An example that begins so is a file; the others of a page are one program."""
PIPED_S = 120.0


@dataclass(slots=True)
class Reader:
    """Be a reader of a page: with a folder, a shell, a platform and the brokers that the page speaks of."""

    folder: Path
    shell: Shell
    places: dict[str, str]
    program: list[tuple[str, str, str | None]] = field(default_factory=list)

    def placed(self, text: str) -> str:
        """Return an example with the addresses of this run."""
        return re.sub("|".join(map(re.escape, self.places)), lambda found: self.places[found[0]], text)

    def do(self, block: CodeBlock, following: CodeBlock) -> None:
        """Do what an example is for, and see that it says what the page shows below it."""
        if block.language == "bash":
            self.type(block, following)
        elif block.language != "python":
            return
        elif (named := NAMED.match(block.text)) is not None:
            (self.folder / named[1]).write_text(self.placed(block.text))
            if named[1].startswith("test_"):
                self.shell.run(f"python -m pytest -q -p no:cacheprovider {named[1]}")
        else:
            shown = following.text if following.language == "text" else None
            self.program.append((block.where, self.placed(block.text), shown))

    def type(self, block: CodeBlock, following: CodeBlock) -> None:
        """Type a command; an answer that has to arrive first is asked for again until it is as shown."""
        heads = {tuple(words[:length]) for words in shell_commands(block) for length in (1, 2)}
        if heads & RUN_ELSEWHERE.keys():
            return
        # A program in the background writes where a reader would see it, between the answers.
        text = re.sub(r" &$", " > background.txt 2>&1 &", self.placed(block.text), flags=re.MULTILINE)
        if following.language != "json":
            self.shell.run(text)
            return
        shown = normal(json.loads(following.text))
        said: list[str] = []

        def is_as_shown() -> bool:
            said.append(self.shell.run(text))
            return bool(normal(json.loads(said[-1])) == shown)

        with suppress(TimeoutError):
            until(is_as_shown, timeout_s=40.0)
        assert normal(json.loads(said[-1])) == shown, block.where

    def run_program(self) -> None:
        """Run what the page's examples are together."""
        (self.folder / "program.json").write_text(json.dumps(self.program))
        self.shell.run(f"PYTHONPATH={ROOT}:. timeout {PIPED_S:g} python -m tests.programs < program.json")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Return a platform that all pages share."""
    with running(tmp_path_factory.mktemp("platform") / "data", spool_gather_ms=0) as started:
        yield started


@pytest.fixture
def reader(request: pytest.FixtureRequest, platform: Platform, tmp_path: Path) -> Iterator[Reader]:
    """Return a reader of the page that the test is about."""
    page = str(request.node.callspec.params["page"])
    text = "".join(block.text for block in BLOCKS[page])
    address = f"127.0.0.1:{platform.http_port}"
    port = str(free_port())
    places = {"127.0.0.1:4318": address, "127.0.0.1:8000": f"127.0.0.1:{port}", "--port 8000": f"--port {port}"}
    places |= {shown: request.getfixturevalue(name) for shown, name in BROKERS.items() if shown in text}
    variables = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "NO_PROXY": "*",
        "HOMEOSTAT_ENDPOINT": f"http://{address}",
        "HOMEOSTAT_BUFFER_FOLDER": str(tmp_path / "buffer"),
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }
    with opened(tmp_path, variables) as shell:
        try:
            yield Reader(tmp_path, shell, places)
        finally:
            # What the page started in the background ends with it.
            for pid in shell.run("jobs -p").split():
                with suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGTERM)


def check_quick_start(platform: Platform) -> None:
    """Look at the trace as its last step tells to: the span within the request, with what was said about it."""
    endpoint = f"http://127.0.0.1:{platform.http_port}"
    wanted = {"service": "orders-api", "operation": "GET /orders/{item}"}
    found = httpx.get(f"{endpoint}/api/v1/traces", params=wanted, trust_env=False).json()["traces"]
    for trace in found:
        spans = homeostat.testing.Platform(endpoint).trace(trace["trace_id"])
        spans.assert_span("price", parent="GET /orders/{item}", attributes={"item": "tea", "tenant.id": "acme"})
    assert found


AFTERWARDS = {"docs/sdk/quickstart.md": check_quick_start}
"""What a page says that no command of it shows."""


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_work(reader: Reader, platform: Platform, page: str) -> None:
    """Commands are typed, files written, tests run, and the rest is one program; all of it says what the page shows."""
    for block, following in pairwise([*BLOCKS[page], CodeBlock("", "", "")]):
        reader.do(block, following)
    if reader.program:
        reader.run_program()
    if page in AFTERWARDS:
        AFTERWARDS[page](platform)


def outputs(blocks: Sequence[CodeBlock]) -> Iterator[str]:
    """Yield where an output is shown that no program prints."""
    for block, following in pairwise(blocks):
        if following.language == "json" and block.language != "bash":
            yield following.where


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_on_a_page_is_one(page: str) -> None:
    """Below each JSON stands the command that says it."""
    assert list(outputs(BLOCKS[page])) == []


def test_a_program_that_prints_something_else_fails(tmp_path: Path) -> None:
    """The runner of examples is not blind."""
    program = json.dumps([["page:1", "await __import__('asyncio').sleep(0)\nprint(1)", "2"]])
    done = subprocess.run(
        [sys.executable, "-m", "tests.programs"], input=program, text=True, capture_output=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert "page:1 prints\n1" in done.stderr
    assert not list(tmp_path.iterdir())
