import asyncio
from random import Random

import httpx
import pytest
from fastapi import HTTPException

from demo.services.asking import Neighbour
from demo.services.cars import COUNT, WITHOUT_PRICE, is_imported, list_price_eur
from demo.services.pricing import NoPriceError, Prices
from demo.services.roles import ROLES
from demo.services.shop import Desk
from demo.services.stock import Stock


async def test_a_price_is_at_most_the_list_price() -> None:
    """The discount of the moment is ten percent at most."""
    price_eur = await Prices(Random(1)).quote(1)
    assert 0.9 * list_price_eur(1) - 1 <= price_eur <= list_price_eur(1)


async def test_one_car_has_no_price() -> None:
    """It is what fails on purpose."""
    with pytest.raises(NoPriceError, match=f"car {WITHOUT_PRICE}"):
        await Prices(Random(1)).quote(WITHOUT_PRICE)
    assert not is_imported(WITHOUT_PRICE)


def test_a_car_that_is_not_there_is_not_found() -> None:
    """The last number is there, the next is not."""
    assert Stock().find(COUNT)["number"] == COUNT
    with pytest.raises(HTTPException) as caught:
        Stock().find(COUNT + 1)
    assert caught.value.status_code == 404


def test_a_customer_is_counted_while_being_served() -> None:
    """Also when serving fails."""
    desk = Desk()
    with pytest.raises(HTTPException), desk.customer():
        raise HTTPException(404)
    assert desk.open_count == 0


@pytest.mark.parametrize(("answered", "passed_on"), [(404, 404), (500, 502), (503, 502)])
async def test_a_neighbours_failure_becomes_ones_own(answered: int, passed_on: int) -> None:
    """What is not there is not there; any other failure is a bad gateway."""
    transport = httpx.MockTransport(lambda _: httpx.Response(answered, json={"detail": "no"}))
    with pytest.raises(HTTPException) as caught:
        await Neighbour("stock", url="http://stock", transport=transport).get("/cars/1")
    assert caught.value.status_code == passed_on


async def test_a_neighbour_that_is_gone_is_a_bad_gateway() -> None:
    """The caller learns which one."""

    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    with pytest.raises(HTTPException, match="stock cannot be reached"):
        await Neighbour("stock", url="http://stock", transport=httpx.MockTransport(refuse)).get("/cars/1")


def test_each_service_has_metrics_under_its_own_name() -> None:
    """So that a metric that is missing names its service."""
    assert all(name.startswith(f"{role.name}.") for role in ROLES for name in role.metrics)


async def test_quotes_do_not_wait_for_each_other() -> None:
    """A slow car does not hold up the others."""
    prices = Prices(Random(1))
    assert len(await asyncio.gather(*(prices.quote(number) for number in range(8, 20)))) == 12
