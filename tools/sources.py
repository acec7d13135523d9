"""The Python files of this repository and what is in them. It judges nothing."""

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Source:
    """Hold one file: its path from the root of the repository, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def is_test(self) -> bool:
        """Say whether the file is part of the tests."""
        return self.path.startswith("tests/")


def parse(path: str, text: str) -> Source:
    """Return a file from its text."""
    return Source(path, text, ast.parse(text, filename=path))


def tracked_files(root: Path = ROOT) -> tuple[str, ...]:
    """Return the paths of all files that are committed, or new and not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    return tuple(sorted(path for path in set(listed.stdout.splitlines()) if (root / path).is_file()))


def python_sources(root: Path = ROOT) -> tuple[Source, ...]:
    """Return all Python files."""
    paths = [path for path in tracked_files(root) if path.endswith(".py")]
    return tuple(parse(path, (root / path).read_text(encoding="utf-8")) for path in paths)


def functions(tree: ast.AST, *, inside: str = "") -> Iterator[tuple[str, Function]]:
    """Yield every function with its qualified name, nested ones too."""
    for node in ast.iter_child_nodes(tree):
        name = f"{inside}{node.name}" if isinstance(node, Function | ast.ClassDef) else ""
        if isinstance(node, Function):
            yield name, node
        yield from functions(node, inside=f"{name}." if name else inside)


def dotted_name(node: ast.AST) -> str:
    """Return `a.b.c` for an expression of names, and what follows an unknown expression as `?.c`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted_name(node.value)}.{node.attr}"
    return "?"
