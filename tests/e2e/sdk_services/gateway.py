"""Takes an order over HTTP and has it reserved over a WebSocket."""

import json
import os

import websockets
from fastapi import FastAPI

import homeostat

app = FastAPI()
homeostat.configure("gateway", app=app)


@app.post("/orders/{item}")
async def order(item: str) -> dict[str, object]:
    """Say what became of an order."""
    with homeostat.bound(tenant="acme", user="u-1"):
        async with websockets.connect(os.environ["STOCK"]) as stock:
            await stock.send(json.dumps(homeostat.enveloped({"item": item})))
            return {"reserved": json.loads(await stock.recv())}
