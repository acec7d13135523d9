"""What a service imports. It is light and knows nothing of `homeostat_server`."""

__version__ = "0.1.0.dev0"
