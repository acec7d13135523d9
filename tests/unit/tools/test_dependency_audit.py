import json
from pathlib import Path

import pytest

from tools.dependency_audit import audit

CONSTRAINTS = Path("constraints.txt")
CLEAN = {"name": "click", "version": "8", "vulns": []}
SKIPPED = {"name": "own", "skip_reason": "Dependency not found on PyPI and could not be audited"}
VULNERABLE = {"name": "web", "version": "1", "vulns": [{"id": "CVE-1", "fix_versions": ["2"]}]}
UNFIXED = {"name": "old", "version": "1", "vulns": [{"id": "CVE-2", "fix_versions": []}]}


def answer(*dependencies: object) -> str:
    """Return what pip-audit prints for these."""
    return json.dumps({"dependencies": dependencies, "fixes": []})


def test_a_known_vulnerability_fails_and_names_the_fix() -> None:
    """Whoever reads it knows what to upgrade to."""
    code, lines = audit(CONSTRAINTS, run=lambda _: answer(CLEAN, VULNERABLE, UNFIXED))
    assert code == 1
    assert "audit: web 1: CVE-1, fixed in 2" in lines
    assert "audit: old 1: CVE-2, fixed in no version yet" in lines


@pytest.mark.parametrize("output", ["", "no json", "[]", "{}", answer(SKIPPED)])
def test_a_service_that_cannot_be_reached_passes_in_plain_sight(output: str) -> None:
    """A build without a network is a build, and says that it was not audited."""
    code, lines = audit(CONSTRAINTS, run=lambda _: output)
    assert (code, "NOT AUDITED" in lines[0]) == (0, True)


def test_what_the_service_does_not_know_is_named() -> None:
    """A package that was skipped among audited ones is told."""
    code, lines = audit(CONSTRAINTS, run=lambda _: answer(CLEAN, SKIPPED))
    assert code == 0
    assert lines == (
        "audit: not audited, unknown to the service: own",
        "audit: 1 of 2 dependencies audited, 0 vulnerabilities",
    )
