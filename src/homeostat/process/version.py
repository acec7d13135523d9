"""The version of this distribution: read by the build, by the facade and by the resource. It knows nothing else."""

from typing import Final

__version__: Final = "0.1.0.dev0"
