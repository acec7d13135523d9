"""A worker without HTTP: packs what was reserved, until it is told to stop."""

import asyncio
import os
import signal
from pathlib import Path

import nats
from nats.aio.msg import Msg

import homeostat

homeostat.configure("shipping")


@homeostat.traced(name="pack")
async def pack(message: Msg) -> None:
    """Take its time over it."""
    await asyncio.sleep(0)
    homeostat.record_error("broken_cup", message=message.subject)


async def main(ready: Path) -> None:
    """Work until SIGTERM; the file is there as soon as messages are."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    broker = await nats.connect(os.environ["NATS"])
    await broker.subscribe("orders.reserved", cb=pack)
    await broker.flush()
    await asyncio.to_thread(ready.touch)
    await stopped.wait()
    await broker.close()


asyncio.run(main(Path(os.environ["READY"])))
