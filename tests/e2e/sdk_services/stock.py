"""Reserves what is asked for over a WebSocket, and tells NATS."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats
from fastapi import FastAPI, WebSocket, WebSocketDisconnect

import homeostat


@asynccontextmanager
async def connected(app: FastAPI) -> AsyncIterator[None]:
    """Hold a connection to NATS."""
    app.state.nats = await nats.connect(os.environ["NATS"])
    yield
    await app.state.nats.close()


app = FastAPI(lifespan=connected)
homeostat.configure("stock", app=app)


@app.websocket("/reservations")
async def reservations(socket: WebSocket) -> None:
    """Reserve as long as somebody asks."""
    await socket.accept()
    try:
        while True:
            asked = homeostat.opened(await socket.receive_json())
            with homeostat.processing(asked, destination="/reservations"), homeostat.span("reserve"):
                await app.state.nats.publish("orders.reserved", json.dumps(asked.payload).encode())
                await socket.send_json({"reserved": asked.payload["item"]})
    except WebSocketDisconnect:
        return
