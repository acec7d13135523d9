"""Calls somebody when a module is imported, or at once when it already is. It does not know what is done then.

So a library is instrumented when the program uses it, and a program that does not use it pays nothing for it.
"""

import importlib.machinery
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec
from types import ModuleType


class Imports(MetaPathFinder):
    """Watch imports of a set of modules; each is told once.

    Place it in `sys.meta_path` with `start`. A module's callback runs in the thread that imports it, right after the
    module's own code and before anybody else sees it.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        # Reentrant: importing in a callback comes back here.
        self._lock = threading.RLock()

    def start(self) -> None:
        """Begin to watch."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def stop(self) -> None:
        """Watch no more and forget who waits."""
        with self._lock:
            self._waiting.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def call_when_imported(self, module: str, callback: Callable[[], None]) -> None:
        """Call back when a module is imported; now, when that has happened."""
        if _is_imported(module):
            callback()
            return
        with self._lock:
            self._waiting.setdefault(module, []).append(callback)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return the spec that the other finders give, with a loader that tells us when it is done."""
        if fullname not in self._waiting:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = None if finder is self or find is None else find(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Telling(spec.loader, self._imported)
                return spec  # type: ignore[no-any-return]  # finders have no types of their own
        return None

    def _imported(self, module: str) -> None:
        with self._lock:
            callbacks = self._waiting.pop(module, [])
        for callback in callbacks:
            callback()


def is_installed(module: str) -> bool:
    """Say whether a module could be imported, without importing it."""
    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _is_imported(name: str) -> bool:
    module = sys.modules.get(name)
    # While a module's own code runs it is in the table already, with half of its names.
    return module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False)


class _Telling(Loader):
    """Load as another loader does, and tell when that is done."""

    def __init__(self, loader: Loader, tell: Callable[[str], None]) -> None:
        self._loader = loader
        self._tell = tell

    def __getattr__(self, name: str) -> object:
        """Answer as the other loader does: `get_source`, `get_data` and others are asked for by tools."""
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """Create it as the other does."""
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """Run its code, give the module its own loader back, and tell."""
        spec = module.__spec__
        if spec is not None:
            spec.loader = self._loader
        module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._tell(module.__name__)
