"""Gates that no other tool has: `python -m tools.gates` (part of `make lint`).

Bounds and borders are in pyproject.toml. Each gate is a pure function from sources to findings; a finding either fails
the build or is only told.
"""

import ast
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tools.sources import ROOT, Function, Source, dotted_name, functions, python_sources

_BROAD: Final = {"Exception", "BaseException"}
_SLEEPS: Final = {"time.sleep", "sleep", "asyncio.sleep", "anyio.sleep", "trio.sleep"}
_PATCHES: Final = {"setattr", "setitem", "delattr", "delitem"}
_MOCKS: Final = {"unittest.mock", "mock", "pytest_mock"}


@dataclass(frozen=True, slots=True)
class Finding:
    """Tell what a gate saw and where; `fails` says whether the build stops at it."""

    where: str
    what: str
    fails: bool = True


def line_count(function: Function) -> int:
    """Return the lines of a function from its `def` to its end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def check_function_lengths(sources: Iterable[Source], *, usual: int, longest: int, share: float) -> Iterator[Finding]:
    """Find functions that are too long, and too many that are long."""
    lengths = [
        (f"{source.path}:{function.lineno} {name}", line_count(function))
        for source in sources
        for name, function in functions(source.tree)
    ]
    long = [(where, lines) for where, lines in lengths if lines > usual]
    yield from (
        Finding(where, f"{lines} lines, none may have over {longest}") for where, lines in long if lines > longest
    )
    if len(long) > share * len(lengths):
        listed = ", ".join(where for where, _ in long)
        yield Finding(
            "functions", f"{len(long)} of {len(lengths)} have over {usual} lines, at most {share:.0%}: {listed}"
        )


def check_file_lengths(sources: Iterable[Source], *, usual: int, longest: int) -> Iterator[Finding]:
    """Find files that are too long."""
    for source in sources:
        lines = len(source.text.splitlines())
        if lines > usual:
            yield Finding(source.path, f"{lines} lines, better under {usual}, never over {longest}", lines > longest)


def check_borders(sources: Iterable[Source], *, borders: Mapping[str, str]) -> Iterator[Finding]:
    """Find handlers that catch everything outside the listed borders, and borders that are no longer there."""
    seen = set()
    for source in sources:
        for place, line in _broad_handlers(source):
            seen.add(place)
            if place not in borders:
                yield Finding(f"{source.path}:{line}", f"catches everything, and {place} is not a listed border")
    yield from (Finding(place, "is a listed border that catches nothing") for place in borders if place not in seen)


def _broad_handlers(source: Source) -> Iterator[tuple[str, int]]:
    owners = _owners(source)
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_broad(node.type) and not _raises_again(node):
            yield f"{source.path}:{owners.get(node, '')}", node.lineno
        if (
            isinstance(node, ast.Call)
            and dotted_name(node.func).endswith("suppress")
            and any(map(_is_broad, node.args))
        ):
            yield f"{source.path}:{owners.get(node, '')}", node.lineno


def _owners(source: Source) -> dict[ast.AST, str]:
    """Return for each node the innermost function that holds it; inner ones are met last and win."""
    return {node: name for name, function in functions(source.tree) for node in ast.walk(function)}


def _is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(map(_is_broad, caught.elts))
    return caught is None or dotted_name(caught) in _BROAD


def _raises_again(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def check_patches(sources: Iterable[Source], *, per_100_tests: float) -> Iterator[Finding]:
    """Find too many replaced names in tests."""
    tests = [source for source in sources if source.is_test]
    count = sum(name.rpartition(".")[2].startswith("test_") for source in tests for name, _ in functions(source.tree))
    patches = [f"{source.path}:{line}" for source in tests for line in _patch_lines(source)]
    if len(patches) * 100 > per_100_tests * count:
        listed = ", ".join(patches)
        yield Finding("tests", f"{len(patches)} patches in {count} tests, at most {per_100_tests:g} in 100: {listed}")


def _patch_lines(source: Source) -> Iterator[int]:
    for node in ast.walk(source.tree):
        imported = node.module if isinstance(node, ast.ImportFrom) else None
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [imported or ""]
        if isinstance(node, ast.Import | ast.ImportFrom) and not _MOCKS.isdisjoint(names):
            yield node.lineno
        if isinstance(node, ast.Call) and _is_patch(dotted_name(node.func)):
            yield node.lineno


def _is_patch(called: str) -> bool:
    owner, _, verb = called.rpartition(".")
    return (owner.endswith("monkeypatch") and verb in _PATCHES) or owner.endswith("mocker")


def check_sleeps(sources: Iterable[Source], *, allowed: Mapping[str, str]) -> Iterator[Finding]:
    """Find tests that sleep; `asyncio.sleep(0)` only lets others run."""
    for source in (source for source in sources if source.is_test):
        owners = _owners(source)
        for node in ast.walk(source.tree):
            place = f"{source.path}:{owners.get(node, '')}"
            if isinstance(node, ast.Call) and _is_sleep(node) and place not in allowed:
                yield Finding(f"{source.path}:{node.lineno}", "sleeps; pass a clock, or wait with tests.waiting")


def _is_sleep(call: ast.Call) -> bool:
    yields = bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0
    return dotted_name(call.func) in _SLEEPS and not yields


def check_sentences(sources: Iterable[Source]) -> Iterator[Finding]:
    """Find tests without the sentence that says the behaviour."""
    for source in (source for source in sources if source.is_test):
        for name, function in functions(source.tree):
            if name.rpartition(".")[2].startswith("test_") and not ast.get_docstring(function):
                yield Finding(f"{source.path}:{function.lineno}", f"{name} has no sentence saying the behaviour")


def all_findings(sources: tuple[Source, ...], *, bounds: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what all gates find."""
    length = {"usual": bounds["function_lines_usual"], "longest": bounds["function_lines_max"]}
    return (
        *check_function_lengths(sources, **length, share=bounds["function_share_over_usual"]),
        *check_file_lengths(sources, usual=bounds["file_lines_usual"], longest=bounds["file_lines_max"]),
        *check_borders([source for source in sources if not source.is_test], borders=bounds["borders"]),
        *check_patches(sources, per_100_tests=bounds["patches_per_100_tests"]),
        *check_sleeps(sources, allowed=bounds["sleeps"]),
        *check_sentences(sources),
    )


def main() -> int:
    """Print what the gates find; return 1 when something fails."""
    bounds = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["homeostat"]["gates"]
    sources = python_sources()
    findings = all_findings(sources, bounds=bounds)
    for finding in findings:
        print(f"{'gate' if finding.fails else 'note'}: {finding.where}: {finding.what}")
    failures = sum(finding.fails for finding in findings)
    print(f"gates: {len(sources)} files, {failures} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
