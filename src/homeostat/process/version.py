"""The version of this distribution: read by the build, by the facade and by the resource. It knows nothing else."""

__version__ = "0.1.0.dev0"
