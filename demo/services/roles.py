"""Who the three services are: how each sends, whom it asks, which metrics it makes. The one place that lists them."""

from dataclasses import dataclass
from typing import Final

from demo.services.protocol import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """Describe a service.

    Attributes:
        name: its `service.name`.
        protocol: how it sends its telemetry.
        asks: the name of the service that it asks, empty when it asks none.
        metrics: the names of the metrics of its own: a counter, a histogram and a gauge.
    """

    name: str
    protocol: Protocol
    asks: str = ""
    metrics: tuple[str, str, str]

    @property
    def asks_variable(self) -> str:
        """Return the environment variable that says where the service it asks is."""
        return f"{self.asks.upper()}_URL"


SHOP: Final = Role(
    name="shop",
    protocol=Protocol.HTTP,
    asks="stock",
    metrics=("shop.orders", "shop.order.value", "shop.requests.open"),
)
STOCK: Final = Role(
    name="stock",
    protocol=Protocol.HTTP,
    asks="pricing",
    metrics=("stock.lookups", "stock.lookup.duration", "stock.cars"),
)
PRICING: Final = Role(
    name="pricing",
    protocol=Protocol.GRPC,
    metrics=("pricing.quotes", "pricing.quote.duration", "pricing.discount"),
)

ROLES: Final = (SHOP, STOCK, PRICING)
"""All services, in the order in which a request meets them."""
