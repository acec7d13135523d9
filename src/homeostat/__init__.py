"""What a service imports. It is light and knows nothing of `homeostat_server`.

Names are loaded when they are first used, so that `import homeostat` costs next to nothing.
"""

from homeostat.process.version import __version__

__all__ = ["__version__"]
