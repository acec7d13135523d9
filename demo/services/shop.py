"""The service that customers talk to: shows cars, and takes orders for them."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from fastapi import FastAPI
from opentelemetry import metrics, trace

from demo.services.asking import Neighbour
from demo.services.roles import SHOP

_LOG: Final = logging.getLogger("shop")
_TRACER: Final = trace.get_tracer("demo.shop")
_METER: Final = metrics.get_meter("demo.shop")


class Desk:
    """Take orders, and count and measure them."""

    def __init__(self) -> None:
        """Declare the metrics."""
        self._orders = _METER.create_counter("shop.orders", unit="{order}", description="Orders that were taken.")
        self._values = _METER.create_histogram("shop.order.value", unit="EUR", description="What an order is worth.")
        self._open = _METER.create_gauge("shop.requests.open", unit="{request}", description="Customers being served.")
        self.open_count = 0

    @contextmanager
    def customer(self) -> Iterator[None]:
        """Count a customer as being served while the block runs."""
        self._change_open(by=1)
        try:
            yield
        finally:
            self._change_open(by=-1)

    def take_order(self, car: dict[str, Any]) -> None:
        """Take an order for a car."""
        with _TRACER.start_as_current_span("take order", attributes={"car.number": car["number"]}) as span:
            self._orders.add(1, {"car.model": car["model"]})
            self._values.record(car["price_eur"], {"car.model": car["model"]})
            span.add_event("paid", {"amount.eur": car["price_eur"]})
            _LOG.info("sold a %s for %d EUR", car["model"], car["price_eur"], extra={"car.number": car["number"]})

    def _change_open(self, *, by: int) -> None:
        self.open_count += by
        self._open.set(self.open_count)


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="shop")
    desk = Desk()
    stock = Neighbour(SHOP.asks, url=os.environ[SHOP.asks_variable])

    @app.get("/cars")
    async def cars() -> Any:  # noqa: ANN401 - passed on as stock said it
        with desk.customer():
            return await stock.get("/cars")

    @app.get("/cars/{number}")
    async def car(number: int) -> Any:  # noqa: ANN401 - passed on as stock said it
        with desk.customer():
            return await stock.get(f"/cars/{number}")

    @app.post("/orders/{number}", status_code=201)
    async def order(number: int) -> dict[str, Any]:
        with desk.customer():
            sold: dict[str, Any] = await stock.get(f"/cars/{number}")
            desk.take_order(sold)
            return {"order": f"A-{number}", "price_eur": sold["price_eur"]}

    return app
