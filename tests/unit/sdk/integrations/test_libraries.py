import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.integrations.clients import CLIENTS
from homeostat.integrations.late import Imports, is_installed
from homeostat.integrations.libraries import LIBRARIES, NAMES, Libraries, Library, chosen

CONTRIB = """
class Instrumentor:
    is_instrumented_by_opentelemetry = {already}
    calls = []
    def instrument(self):
        if {fails}:
            raise RuntimeError("no")
        Instrumentor.is_instrumented_by_opentelemetry = {works}
        Instrumentor.calls.append("on")
    def uninstrument(self):
        Instrumentor.calls.append("off")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """Give a folder in which a library and its contrib package can be put."""
    (tmp_path / "lib_here.py").write_text("")
    sys.path.insert(0, str(tmp_path))
    yield tmp_path
    sys.path.remove(str(tmp_path))
    for name in ("lib_here", "lib_contrib"):
        sys.modules.pop(name, None)
    importlib.invalidate_caches()


@pytest.fixture
def libraries() -> Iterator[Libraries]:
    """Give libraries that are watched."""
    imports = Imports()
    imports.start()
    yield Libraries(imports)
    imports.stop()


def library(module: str = "lib_here", package: str = "lib_contrib") -> Library:
    """Return a row of the table."""
    return Library(name="lib", module=module, package=package, instrumentor="Instrumentor")


def contrib(folder: Path, *, already: bool = False, fails: bool = False, works: bool = True) -> None:
    """Put a contrib package into the folder."""
    (folder / "lib_contrib.py").write_text(CONTRIB.format(already=already, fails=fails, works=works))


def test_a_library_is_instrumented_when_it_is_imported(folder: Path, libraries: Libraries) -> None:
    """And its contrib package is not even loaded before."""
    contrib(folder)
    libraries.start([library()])
    assert (libraries.waiting, libraries.instrumented, "lib_contrib" in sys.modules) == (("lib",), (), False)
    importlib.import_module("lib_here")
    assert (libraries.waiting, libraries.instrumented) == ((), ("lib",))
    libraries.stop()
    assert sys.modules["lib_contrib"].Instrumentor.calls == ["on", "off"]
    assert libraries.instrumented == ()


def test_what_somebody_else_has_instrumented_is_left_to_them(folder: Path, libraries: Libraries) -> None:
    """It is not instrumented twice, and not taken back."""
    contrib(folder, already=True)
    libraries.start([library()])
    importlib.import_module("lib_here")
    assert (libraries.instrumented, libraries.foreign) == ((), ("lib",))


def test_a_version_that_contrib_refuses_is_not_instrumented(folder: Path, libraries: Libraries) -> None:
    """It says so in its own log."""
    contrib(folder, works=False)
    libraries.start([library()])
    importlib.import_module("lib_here")
    assert libraries.instrumented == ()


def test_a_package_that_fails_costs_its_spans_only(
    folder: Path, libraries: Libraries, caplog: pytest.LogCaptureFixture
) -> None:
    """The program's import goes on, and one warning says why there is nothing."""
    contrib(folder, fails=True)
    libraries.start([library()])
    importlib.import_module("lib_here")
    assert caplog.messages == ["homeostat: lib is not instrumented: RuntimeError: no"]
    assert libraries.missing == {"lib": "lib_contrib"}


def test_a_missing_package_is_told_to_whom_asked_by_name(
    folder: Path, libraries: Libraries, caplog: pytest.LogCaptureFixture
) -> None:
    """At once; a library that is not there needs no package."""
    row = library(package="opentelemetry.instrumentation.lib_x")
    libraries.start([row, library(module="lib_nowhere")], named=["lib"])
    assert caplog.messages == ["homeostat: lib is not instrumented: pip install opentelemetry-instrumentation-lib-x"]
    assert folder.exists()


def test_a_library_in_use_without_its_package_is_told_once(
    folder: Path, libraries: Libraries, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning a process, however many there are, and none for what is not used."""
    row = library(package="opentelemetry.instrumentation.lib_x")
    libraries.start([row, row])
    assert caplog.messages == []
    importlib.import_module("lib_here")
    assert caplog.messages == ["homeostat: lib is not instrumented: pip install opentelemetry-instrumentation-lib-x"]
    assert folder.exists()


def test_the_settings_choose() -> None:
    """By name, all that are known, or none."""
    rows = [library(), Library(name="other", module="os", package="os", instrumentor="X")]

    def names(wanted: list[str], unwanted: list[str]) -> list[str]:
        return [row.name for row in chosen(rows, wanted=wanted, unwanted=unwanted)]

    assert names(["auto"], []) == ["lib", "other"]
    assert names(["auto"], ["lib"]) == ["other"]
    assert names(["lib"], []) == ["lib"]
    assert names(["auto"], ["*"]) == []


def test_no_name_means_two_things() -> None:
    """Of contrib's libraries and of our own integrations."""
    assert NAMES.isdisjoint(CLIENTS)


@pytest.mark.parametrize("name", CLIENTS)
def test_every_client_has_its_integration(name: str) -> None:
    """With what is called to hook it and to take that back."""
    module = importlib.import_module(f"homeostat.integrations.{name}")
    assert (callable(module.install), callable(module.uninstall), module.LIBRARY) == (True, True, CLIENTS[name])


@pytest.mark.parametrize("row", [row for row in LIBRARIES if is_installed(row.package)], ids=lambda row: row.name)
def test_every_row_names_a_class_that_is_there(row: Library) -> None:
    """Of the packages that the extra installs."""
    assert callable(getattr(importlib.import_module(row.package), row.instrumentor))
