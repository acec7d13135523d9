"""What an export request passes on its way in, put together once for HTTP and gRPC. It does nothing itself."""

from dataclasses import dataclass
from typing import Final

from homeostat_server.ingest.admission import Admission
from homeostat_server.ingest.intake import Intake
from homeostat_server.ingest.intake_counts import IntakeCounts
from homeostat_server.runtime.clock import Clock
from homeostat_server.security.authentication import Authenticator

BODY_TIMEOUT_S: Final = 30.0
"""OTLP exporters give up after 10 s by default; who needs longer than this to send holds memory for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reception:
    """Hold who is asked, in this order: who sends, is there room, what is in it."""

    authenticator: Authenticator
    admission: Admission
    intake: Intake
    counts: IntakeCounts
    clock: Clock
    body_bytes_max: int
    body_timeout_s: float = BODY_TIMEOUT_S
