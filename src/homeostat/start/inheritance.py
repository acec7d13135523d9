"""Takes the configuration to children that `multiprocessing` starts afresh (spawn, forkserver). It configures nothing.

Such a child imports the main module under another name, so a call of `configure()` behind `if __name__ == "__main__"`
is not made there. What a process object carries to its child is pickled with it; ours, when it is unpickled there,
configures before the child's own work begins.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

_KEY: Final = "homeostat"

Configure = Callable[[Mapping[str, Any]], object]


class Inheritance:
    """Hold the arguments of `configure()`; unpickling it gives them to a function that configures.

    Args:
        configure: an importable function that takes the arguments.
        arguments: values that can be pickled.
    """

    def __init__(self, configure: Configure, arguments: Mapping[str, Any]) -> None:
        self._configure = configure
        self._arguments = dict(arguments)

    def __reduce__(self) -> tuple[object, ...]:
        """Return how the child makes it again."""
        return (_inherit, (self._configure, self._arguments))


def _inherit(configure: Configure, arguments: Mapping[str, Any]) -> Inheritance:
    configure(arguments)
    return Inheritance(configure, arguments)


def bequeath(inheritance: Inheritance) -> bool:
    """Give it to the children of this process; say whether that was possible.

    `_config` is not public: it holds what each process object takes from the process that makes it (such as `authkey`),
    and is the only thing of ours that reaches a child before its work. Can go when Python has a hook for a start.
    """
    process = sys.modules.get("multiprocessing.process")
    config = getattr(process.current_process(), "_config", None) if process is not None else None
    if not isinstance(config, dict):
        return False
    config[_KEY] = inheritance
    return True


def disinherit() -> None:
    """Take it back."""
    process = sys.modules.get("multiprocessing.process")
    config = getattr(process.current_process(), "_config", None) if process is not None else None
    if isinstance(config, dict):
        config.pop(_KEY, None)
