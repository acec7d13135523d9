"""The public API of the SDK as text: every name with its signature, so that a review sees when a promise changes.

Public is what the listed modules announce in `__all__`; what stands behind a name is read from the source, so that the
text does not depend on the version of Python that writes it.

    python -m tools.api_snapshot          writes tests/golden/sdk/api.txt
"""

import ast
import importlib
import inspect
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final

from tools.sources import ROOT

SNAPSHOT: Final = ROOT / "tests" / "golden" / "sdk" / "api.txt"
MODULES: Final = (
    "homeostat",
    "homeostat.start.arguments",
    "homeostat.exceptions",
    "homeostat.testing",
)
"""What the pages tell a reader to import, and the arguments of `configure()`; all else may change in any version."""
RETURNED: Final = {
    "homeostat.propagation.scopes": ("Attached",),
    "homeostat.tracing.active": ("ActiveSpan",),
    "homeostat.tracing.durations": ("Measured",),
}
"""Classes that a program meets as what a public function returns, and does not import."""

_OWN: Final = "homeostat"
_UNSAID: Final = {
    "__repr__",
    "__str__",
    "__hash__",
    "__eq__",
    "__dir__",
    "__del__",
    "__new__",
    "__post_init__",
    "__slots__",
}
_INDENT: Final = "    "

Named = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def snapshot() -> str:
    """Return the public API."""
    shown: dict[str, Sequence[str]] = {name: public_names(importlib.import_module(name)) for name in MODULES}
    parts = (
        f"{name}\n{'=' * len(name)}\n\n" + "\n".join(_lines_of(name, some)) for name, some in (shown | RETURNED).items()
    )
    return "\n\n".join(parts) + "\n"


def public_names(module: ModuleType) -> list[str]:
    """Return what a module announces; without an announcement, the classes and functions that it defines."""
    announced = getattr(module, "__all__", None)
    if announced is not None:
        return sorted(announced)
    members = vars(module).items()
    return sorted(
        name for name, value in members if _is_public(name) and getattr(value, "__module__", "") == module.__name__
    )


def _lines_of(name: str, names: Sequence[str]) -> Iterator[str]:
    module = importlib.import_module(name)
    for public in names:
        yield from _lines(public, getattr(module, public))


def _lines(name: str, value: object) -> Iterator[str]:
    if inspect.isclass(value) and value.__module__.startswith(_OWN):
        yield from _class_lines(name, value)
    elif inspect.isfunction(value) and value.__module__.startswith(_OWN):
        yield from (_signature(node) for node in _definitions(value.__module__, value.__qualname__))
    elif isinstance(value, str | int | float | bool) and not name.startswith("__"):
        yield f"{name} = {value!r}"
    else:
        yield f"{name}: {type(value).__qualname__}"


def _class_lines(name: str, value: type) -> Iterator[str]:
    bases = [base.__qualname__ for base in value.__bases__ if base is not object]
    [*_, node] = _definitions(value.__module__, value.__qualname__)
    marks = "".join(f"@{ast.unparse(mark)} " for mark in node.decorator_list)
    yield f"{marks}class {name}({', '.join(bases)})" if bases else f"{marks}class {name}"
    known: set[str] = set()
    for owner in value.__mro__:
        if owner.__module__.startswith(_OWN):
            [*_, node] = _definitions(owner.__module__, owner.__qualname__)
            members = [member for member in _members(node) if member[0] not in known]
            known |= {member for member, _ in members}
            yield from (f"{_INDENT}{line}" for _, line in members)


def _members(node: Named) -> Iterator[tuple[str, str]]:
    """Yield the public members of a class with their lines, in the order of the source."""
    for member in node.body:
        if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef) and _is_public(member.name):
            yield member.name, _signature(member)
        elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name) and _is_public(member.target.id):
            yield member.target.id, ast.unparse(member)
        elif isinstance(member, ast.Assign):
            names = [target.id for target in member.targets if isinstance(target, ast.Name) and _is_public(target.id)]
            yield from ((name, ast.unparse(member)) for name in names)


def _signature(node: Named) -> str:
    assert not isinstance(node, ast.ClassDef)
    returned = f" -> {ast.unparse(node.returns)}" if node.returns is not None else ""
    marks = "".join(f"@{ast.unparse(mark)} " for mark in node.decorator_list)
    start = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    return f"{marks}{start} {node.name}({ast.unparse(node.args)}){returned}"


def _is_public(name: str) -> bool:
    is_special = name.startswith("__") and name.endswith("__")
    return not name.startswith("_") or (is_special and name not in _UNSAID)


def _definitions(module: str, qualified: str) -> list[Named]:
    """Return the definitions of a name in its source: several where it is overloaded."""
    found: list[Named] = []
    scope: list[ast.stmt] = _tree(module).body
    for name in qualified.split("."):
        found = [node for node in scope if isinstance(node, Named) and node.name == name]
        scope = found[-1].body if found else []
    assert found, f"{module}.{qualified} has no definition"
    overloads = [node for node in found if any("overload" in ast.unparse(mark) for mark in node.decorator_list)]
    return overloads or found[-1:]


@cache
def _tree(module: str) -> ast.Module:
    source = inspect.getsourcefile(sys.modules[module])
    assert source is not None
    return ast.parse(Path(source).read_text(encoding="utf-8"))


def main() -> None:
    """Write the snapshot."""
    SNAPSHOT.parent.mkdir(parents=True, exist_ok=True)
    SNAPSHOT.write_text(snapshot(), encoding="utf-8")
    print(f"wrote {SNAPSHOT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
