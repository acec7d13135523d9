"""A FastAPI service that has never heard of Homeostat."""

import os

from fastapi import FastAPI
from opentelemetry import trace

app = FastAPI()


@app.get("/work/{number}")
async def work(number: int) -> dict[str, int]:
    """Do a bit of work in a span of its own, and say which process did it."""
    with trace.get_tracer("service").start_as_current_span("work"):
        return {"number": number, "pid": os.getpid()}
