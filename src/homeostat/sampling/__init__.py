"""Which spans are kept, and what each that is kept stands for. It does not know how spans are made or sent."""

from homeostat.sampling.config import (
    RATIO_DEVELOPMENT,
    RATIO_PRODUCTION,
    RouteRule,
    SamplingConfig,
    TailConfig,
    default_ratio,
    parse_rules,
)
from homeostat.sampling.sampling import Sampling
from homeostat.sampling.tail import SamplingStatistics
from homeostat.sampling.weights import weight

__all__ = [
    "RATIO_DEVELOPMENT",
    "RATIO_PRODUCTION",
    "RouteRule",
    "Sampling",
    "SamplingConfig",
    "SamplingStatistics",
    "TailConfig",
    "default_ratio",
    "parse_rules",
    "weight",
]
