"""The service that says what a car costs. Some cars are slow to price, one has no price."""

import asyncio
import logging
import time
from random import Random
from typing import Final

from fastapi import FastAPI
from opentelemetry import metrics, trace

from demo.services.cars import WITHOUT_PRICE, is_imported, list_price_eur, model

_LOG: Final = logging.getLogger("pricing")
_TRACER: Final = trace.get_tracer("demo.pricing")
_METER: Final = metrics.get_meter("demo.pricing")

_QUICK_S: Final = 0.004
_TARIFF_S: Final = 0.35


class NoPriceError(Exception):
    """Say that the price table does not have this car."""


class Prices:
    """Quote prices, and count and measure it."""

    def __init__(self, random: Random) -> None:
        """Take what discounts are drawn from."""
        self._random = random
        self._quotes = _METER.create_counter("pricing.quotes", unit="{quote}", description="Prices that were given.")
        self._durations = _METER.create_histogram(
            "pricing.quote.duration", unit="s", description="From the question to the price."
        )
        self._discount = _METER.create_gauge("pricing.discount", unit="1", description="The discount of the moment.")

    async def quote(self, number: int) -> int:
        """Return the price of a car in euros.

        Raises:
            NoPriceError: the price table does not have it.
        """
        began_s = time.monotonic()
        with _TRACER.start_as_current_span("read price table", attributes={"car.number": number}):
            await asyncio.sleep(_QUICK_S * self._random.uniform(0.5, 2.0))
            if number == WITHOUT_PRICE:
                message = f"car {number}: its model year is not in the price table"
                raise NoPriceError(message)
        if is_imported(number):
            await self._read_tariff(number)
        price_eur = self._discounted(number)
        self._quotes.add(1, {"car.model": model(number)})
        self._durations.record(time.monotonic() - began_s, {"car.imported": is_imported(number)})
        _LOG.info("quoted %d EUR for a %s", price_eur, model(number), extra={"car.number": number})
        return price_eur

    async def _read_tariff(self, number: int) -> None:
        with _TRACER.start_as_current_span("read customs tariff"):
            duration_s = _TARIFF_S * self._random.uniform(0.7, 1.8)
            await asyncio.sleep(duration_s)
        _LOG.warning("the customs tariff took %.0f ms", duration_s * 1_000, extra={"car.number": number})

    def _discounted(self, number: int) -> int:
        discount = round(self._random.uniform(0.0, 0.1), 2)
        self._discount.set(discount)
        return round(list_price_eur(number) * (1 - discount))


def create_app() -> FastAPI:
    """Return the application."""
    app = FastAPI(title="pricing")
    prices = Prices(Random(3))

    @app.get("/prices/{number}")
    async def price(number: int) -> dict[str, int]:
        return {"number": number, "price_eur": await prices.quote(number)}

    return app
