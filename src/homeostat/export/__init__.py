"""What a process records goes out here: encoded, batched, sent over OTLP, and kept on disk until it is taken.

`Exporting` is all that other rooms need. They give it spans through a span processor, and the requests of other
signals encoded; what a signal means is not known here.
"""

from homeostat.export.config import ExportConfig
from homeostat.export.counts import Statistics
from homeostat.export.exporting import Exporting

__all__ = ["ExportConfig", "Exporting", "Statistics"]
