"""The service that knows which cars there are, and asks pricing what one costs."""

import logging
import os
import time
from typing import Any, Final

from fastapi import FastAPI, HTTPException
from opentelemetry import metrics, trace

from demo.services.asking import Neighbour
from demo.services.cars import COUNT, model
from demo.services.roles import STOCK

_LOG: Final = logging.getLogger("stock")
_TRACER: Final = trace.get_tracer("demo.stock")
_METER: Final = metrics.get_meter("demo.stock")


class Stock:
    """Find cars, and count and measure it."""

    def __init__(self) -> None:
        """Declare the metrics."""
        self._lookups = _METER.create_counter("stock.lookups", unit="{lookup}", description="Cars that were asked for.")
        self._durations = _METER.create_histogram(
            "stock.lookup.duration", unit="s", description="How long it took to find a car."
        )
        self._cars = _METER.create_gauge("stock.cars", unit="{car}", description="Cars in stock.")
        self._cars.set(COUNT)

    def all(self) -> list[dict[str, Any]]:
        """Return all cars."""
        with _TRACER.start_as_current_span("list cars", attributes={"cars": COUNT}):
            self._cars.set(COUNT)
            return [{"number": number, "model": model(number)} for number in range(1, COUNT + 1)]

    def find(self, number: int) -> dict[str, Any]:
        """Return a car; one that is not there is not found."""
        began_s = time.monotonic()
        found = 1 <= number <= COUNT
        with _TRACER.start_as_current_span("find car", attributes={"car.number": number, "car.found": found}):
            self._lookups.add(1, {"found": found})
            self._durations.record(time.monotonic() - began_s)
            if not found:
                _LOG.warning("there is no car %d", number)
                raise HTTPException(404, detail=f"there is no car {number}")
            return {"number": number, "model": model(number)}


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="stock")
    stock = Stock()
    pricing = Neighbour(STOCK.asks, url=os.environ[STOCK.asks_variable])

    @app.get("/cars")
    async def cars() -> list[dict[str, Any]]:
        return stock.all()

    @app.get("/cars/{number}")
    async def car(number: int) -> dict[str, Any]:
        found = stock.find(number)
        _LOG.info("found a %s", found["model"], extra={"car.number": number})
        price = await pricing.get(f"/prices/{number}")
        return {**found, "price_eur": price["price_eur"]}

    return app
