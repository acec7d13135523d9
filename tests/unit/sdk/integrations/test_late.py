import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.integrations.late import Imports, is_installed


@pytest.fixture
def imports(tmp_path: Path) -> Iterator[Imports]:
    """Give a watch, and a folder with modules that nobody has imported."""
    (tmp_path / "late_package").mkdir()
    (tmp_path / "late_package" / "__init__.py").write_text("import late_package.inner\nVALUE = 1\n")
    (tmp_path / "late_package" / "inner.py").write_text("INNER = 1\n")
    (tmp_path / "late_broken.py").write_text("raise RuntimeError\n")
    sys.path.insert(0, str(tmp_path))
    watching = Imports()
    watching.start()
    yield watching
    watching.stop()
    sys.path.remove(str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("late_")]:
        del sys.modules[name]


def test_a_module_is_told_when_it_is_complete_and_once(imports: Imports) -> None:
    """Its own code has run, and that of what it imports."""
    told: list[object] = []
    imports.call_when_imported("late_package", lambda: told.append(sys.modules["late_package"].VALUE))
    imports.call_when_imported("late_package", lambda: told.append("second"))
    assert told == []
    module = importlib.import_module("late_package")
    importlib.import_module("late_package")
    assert told == [1, "second"]
    assert module.__spec__ is not None
    assert type(module.__loader__).__name__ == type(module.__spec__.loader).__name__ == "SourceFileLoader"


def test_a_module_that_is_there_is_told_at_once(imports: Imports) -> None:
    """Nobody has to know the order."""
    told: list[str] = []
    imports.call_when_imported("os", lambda: told.append("os"))
    assert told == ["os"]


def test_a_module_inside_a_package_is_told(imports: Imports) -> None:
    """Also while the package is being imported."""
    told: list[bool] = []
    imports.call_when_imported("late_package.inner", lambda: told.append(hasattr(sys.modules["late_package"], "VALUE")))
    importlib.import_module("late_package")
    assert told == [False]


def test_a_module_that_fails_is_not_told(imports: Imports) -> None:
    """It raises what it would have raised."""
    told: list[str] = []
    imports.call_when_imported("late_broken", lambda: told.append("broken"))
    with pytest.raises(RuntimeError):
        importlib.import_module("late_broken")
    assert told == []


def test_a_module_that_is_not_there_stays_so(imports: Imports) -> None:
    """The watch finds nothing that others do not find."""
    imports.call_when_imported("late_missing", imports.stop)
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("late_missing")
    assert (is_installed("late_missing"), is_installed("late_missing.below"), is_installed("os")) == (
        False,
        False,
        True,
    )


def test_after_the_stop_nobody_is_told(imports: Imports) -> None:
    """And starting twice is the same as once."""
    told: list[str] = []
    imports.start()
    imports.call_when_imported("late_package", lambda: told.append("x"))
    imports.stop()
    imports.stop()
    importlib.import_module("late_package")
    assert told == []
