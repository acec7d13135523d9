"""The pages of this repository, the examples on them, and what the code declares that pages have to name."""

import ast
import itertools
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tools.sources import ROOT, Source, dotted_name, tracked_files

_FENCE: Final = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BETWEEN_COMMANDS: Final = ";|&\n"
_IS_ASSIGNMENT: Final = re.compile(r"\w+=\S*").fullmatch
_METRIC: Final = re.compile(r"homeostat_[a-z0-9_]+")
_ROUTE_VERBS: Final = {"get", "post", "put", "patch", "delete", "head", "options", "websocket", "api_route"}
_GENERIC_VERBS: Final = {"Route", "Mount", "WebSocketRoute", "add_route", "add_api_route", "mount"}


@dataclass(frozen=True, slots=True)
class Document:
    """Hold one page: its path from the root of the repository and its text."""

    path: str
    text: str


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """Hold one fenced example with its language and where it stands."""

    where: str
    language: str
    text: str


def documents(root: Path = ROOT) -> tuple[Document, ...]:
    """Return all Markdown pages."""
    paths = [path for path in tracked_files(root) if path.endswith(".md")]
    return tuple(Document(path, (root / path).read_text(encoding="utf-8")) for path in paths)


def code_blocks(document: Document) -> Iterator[CodeBlock]:
    """Yield the fenced examples of a page."""
    for match in _FENCE.finditer(document.text):
        line = document.text.count("\n", 0, match.start()) + 1
        yield CodeBlock(f"{document.path}:{line}", match[1], match[2])


def shell_commands(block: CodeBlock) -> Iterator[list[str]]:
    """Yield the commands of a shell example as words; what is quoted is one word, however many lines it has."""
    text = re.sub(r"(^|\s)#.*$", "", block.text.replace("\\\n", " "), flags=re.MULTILINE)
    # What fills a variable is a command as well.
    text = re.sub(r"^\w+=\$\((.*)\)$", r"\1", text, flags=re.MULTILINE)
    lexer = shlex.shlex(text, posix=True, punctuation_chars=_BETWEEN_COMMANDS)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    for token in (*lexer, "\n"):
        if not set(token) <= set(_BETWEEN_COMMANDS):
            words.append(token)
        elif command := list(itertools.dropwhile(_IS_ASSIGNMENT, words)):
            words = []
            yield command
        else:
            words = []


def rooms(root: Path = ROOT) -> tuple[str, ...]:
    """Return the rooms of both packages by their dotted names."""
    folders = sorted(root.glob("src/homeostat*/*/__init__.py"))
    return tuple(f"{path.parent.parent.name}.{path.parent.name}" for path in folders)


def knob_names(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the names of the knobs that the product declares."""
    calls = [node for source in sources if source.path.startswith("src/") for node in ast.walk(source.tree)]
    return tuple(
        str(keyword.value.value)
        for call in calls
        if isinstance(call, ast.Call) and dotted_name(call.func).endswith("Knob")
        for keyword in call.keywords
        if keyword.arg == "name" and isinstance(keyword.value, ast.Constant)
    )


def metric_names(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the names of the self-metrics: literals of their form in modules that see the registry."""
    declaring = [source for source in sources if source.path.startswith("src/") and _sees_telemetry(source)]
    literals = [node.value for source in declaring for node in ast.walk(source.tree) if isinstance(node, ast.Constant)]
    return tuple(sorted({text for text in literals if isinstance(text, str) and _METRIC.fullmatch(text)}))


def _sees_telemetry(source: Source) -> bool:
    return any(
        isinstance(node, ast.ImportFrom) and node.module == "homeostat_server.runtime.telemetry"
        for node in ast.walk(source.tree)
    )


def routes(sources: Iterable[Source]) -> tuple[str, ...]:
    """Return the paths that the API declares, each with the prefix of its module's router."""
    found: set[str] = set()
    for source in sources:
        if source.path.startswith("src/homeostat_server/api/"):
            calls = [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]
            prefix = next(filter(None, map(_prefix, calls)), "")
            found.update(f"{prefix}{path}" for path in map(_path, calls) if path is not None)
    return tuple(sorted(found))


def _prefix(call: ast.Call) -> str:
    values = [keyword.value for keyword in call.keywords if keyword.arg == "prefix"]
    is_router = dotted_name(call.func).endswith("APIRouter")
    return str(values[0].value) if is_router and values and isinstance(values[0], ast.Constant) else ""


def _path(call: ast.Call) -> str | None:
    verb = dotted_name(call.func).rpartition(".")[2]
    first = call.args[0] if call.args else None
    if verb not in _ROUTE_VERBS | _GENERIC_VERBS or not isinstance(first, ast.Constant):
        return None
    return first.value if isinstance(first.value, str) and first.value.startswith("/") else None
