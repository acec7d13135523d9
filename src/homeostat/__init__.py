"""What a service imports. It is light and knows nothing of `homeostat_server`.

    import homeostat

    homeostat.configure("orders-api", app=app)

Names are loaded when they are first used: `import homeostat` alone costs next to nothing, and what a service does not
use it does not load.
"""

import importlib
from typing import TYPE_CHECKING, Final

from homeostat.process.version import __version__

if TYPE_CHECKING:
    from homeostat.start.configuration import configure, current_handle, instrument
    from homeostat.start.handle import Handle

__all__ = [
    "Handle",
    "__version__",
    "configure",
    "current_handle",
    "instrument",
]

_HOMES: Final = {
    "Handle": "homeostat.start.handle",
    "configure": "homeostat.start.configuration",
    "current_handle": "homeostat.start.configuration",
    "instrument": "homeostat.start.configuration",
}


def __getattr__(name: str) -> object:
    """Load a public name from its home and keep it."""
    home = _HOMES.get(name)
    if home is None:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
