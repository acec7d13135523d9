import re

import pytest

from homeostat.settings.table import SETTINGS as SERVICE_SETTINGS
from homeostat_server.exceptions import CapacityError, HomeostatError, StartError, TooManyRequests
from homeostat_server.ingest.checks.refusals import Refusal
from homeostat_server.runtime.settings import SETTINGS
from tools.documents import documents, knob_names, metric_names, rooms, routes
from tools.generated_docs import pages
from tools.sources import ROOT, python_sources

ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
DOCUMENTS = {document.path: document.text for document in documents()}
PAGES = {str(path.relative_to(ROOT)): text for path, text in pages().items()}


@pytest.mark.parametrize("path", PAGES)
def test_a_generated_page_is_current(path: str) -> None:
    """A page made from a table says what the table says; `make docs` writes it again."""
    assert (ROOT / path).read_text(encoding="utf-8") == PAGES[path], "run `make docs`"


def test_every_room_has_its_section() -> None:
    """Each package is a heading of ARCHITECTURE.md, and no heading is left of one that is gone."""
    assert set(re.findall(r"^### `(homeostat(?:_server)?\.\w+)`", ARCHITECTURE, flags=re.MULTILINE)) == set(rooms())


@pytest.mark.parametrize("room", rooms())
def test_every_room_says_its_invariant_and_what_is_absent(room: str) -> None:
    """What is deliberately not in a room is written down before somebody puts it there."""
    section = ARCHITECTURE.partition(f"### `{room}`")[2]
    body = re.split(r"^##", section, flags=re.MULTILINE)[0]
    assert "**Invariant.**" in body
    assert "**Absent.**" in body


METRICS = metric_names(python_sources())
DECLARED = {
    "docs/knobs.md": knob_names(python_sources()),
    "docs/api.md": routes(python_sources()),
    "docs/operations.md": METRICS,
    "docs/otlp.md": tuple(refusal.value for refusal in Refusal),
}
UNUSED = {TooManyRequests}
"""Errors that nobody raises yet."""


@pytest.mark.parametrize(("page", "names"), DECLARED.items(), ids=DECLARED)
def test_a_page_names_everything_that_the_code_declares(page: str, names: tuple[str, ...]) -> None:
    """Each knob is on its page, and so is each path, each self-metric and each reason to refuse an item."""
    text = DOCUMENTS.get(page, "")
    assert [name for name in names if f"`{name}`" not in text and f" {name}`" not in text] == []


@pytest.mark.parametrize("path", DOCUMENTS)
def test_variables_on_a_page_are_settings(path: str) -> None:
    """A variable that a page names is one that the server reads, or a service."""
    known = {setting.variable for setting in SETTINGS} | {setting.variable for setting in SERVICE_SETTINGS}
    assert set(re.findall(r"\bHOMEOSTAT_[A-Z][A-Z_]*[A-Z]\b", DOCUMENTS[path])) <= known


@pytest.mark.parametrize("path", DOCUMENTS)
def test_metrics_on_a_page_are_declared(path: str) -> None:
    """A metric that a page names is one that the process has; a page may name a part of a histogram."""
    named = set(re.findall(r"`(homeostat_[a-z_]+_[a-z]+)`", DOCUMENTS[path])) - {"homeostat_server"}
    assert {re.sub("_(bucket|sum|count)$", "", name) for name in named} <= set(METRICS)


@pytest.mark.parametrize(
    "error", [error for error in (*StartError.__subclasses__(), *CapacityError.__subclasses__()) if error not in UNUSED]
)
def test_an_operator_finds_what_an_error_means(error: type[HomeostatError]) -> None:
    """What stops a start, and what senders are told to wait for, is on the page for who is called."""
    assert f"| `{error.code}` |" in DOCUMENTS["docs/operations.md"]


@pytest.mark.parametrize("path", DOCUMENTS)
def test_links_on_a_page_lead_somewhere(path: str) -> None:
    """A relative link names a file that is there."""
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", DOCUMENTS[path])
    assert [target for target in targets if not ((ROOT / path).parent / target).exists()] == []
