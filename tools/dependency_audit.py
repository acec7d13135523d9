"""No dependency with a known vulnerability: `python -m tools.dependency_audit` (part of `make lint`).

A vulnerability that is known fails the build. A service that cannot be reached does not, but says so in plain sight: a
build without a network is still a build, and "not audited" must never read like "no findings".
"""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tools.sources import ROOT

CONSTRAINTS: Final = ROOT / "requirements" / "constraints.txt"
TIMEOUT_S: Final = 60.0
"""A service that takes longer for a hundred names counts as not reached; lint has to stay quick."""

Run = Callable[[Sequence[str]], str]


def run_pip_audit(command: Sequence[str]) -> str:
    """Return what pip-audit prints; nothing when it took too long."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False).stdout
    except subprocess.TimeoutExpired:
        return ""


def audit(constraints: Path, *, run: Run = run_pip_audit) -> tuple[int, tuple[str, ...]]:
    """Return the exit code and the lines to print."""
    options = ["--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json"]
    output = run([sys.executable, "-m", "pip_audit", "--requirement", str(constraints), *options])
    dependencies = _dependencies(output)
    audited = [dependency for dependency in dependencies if "vulns" in dependency]
    found = [
        f"audit: {dependency['name']} {dependency['version']}: {vulnerability['id']}, "
        f"fixed in {', '.join(vulnerability['fix_versions']) or 'no version yet'}"
        for dependency in audited
        for vulnerability in dependency["vulns"]
    ]
    if not audited:
        return 0, ("audit: NOT AUDITED: the vulnerability service is unreachable, or knows none of the packages",)
    skipped = [dependency["name"] for dependency in dependencies if "vulns" not in dependency]
    told = [f"audit: not audited, unknown to the service: {', '.join(skipped)}"] if skipped else []
    summary = f"audit: {len(audited)} of {len(dependencies)} dependencies audited, {len(found)} vulnerabilities"
    return (1 if found else 0), (*found, *told, summary)


def _dependencies(output: str) -> list[dict[str, Any]]:
    try:
        listed = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return []
    return list(listed)


def main() -> int:
    """Audit the constraints file; return 1 when a dependency is known to be vulnerable."""
    code, lines = audit(CONSTRAINTS)
    print("\n".join(lines))
    return code


if __name__ == "__main__":
    sys.exit(main())
