"""How the process's own log lines look: one line each on standard error. It knows no logger by name."""

import logging
import sys
from typing import Final

from homeostat.settings.kinds import LogLevel

FORMAT: Final = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def configure_logs(level: LogLevel) -> None:
    """Send log lines of this level and above to standard error."""
    logging.basicConfig(level=level.value.upper(), format=FORMAT, stream=sys.stderr, force=True)
    # Every probe and export would be a line of its own.
    for chatty in ("uvicorn", "grpc", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
