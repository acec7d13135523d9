"""How a service sends its telemetry."""

from enum import StrEnum, unique


@unique
class Protocol(StrEnum):
    """Name a transport of OTLP."""

    HTTP = "OTLP/HTTP"
    GRPC = "OTLP/gRPC"
