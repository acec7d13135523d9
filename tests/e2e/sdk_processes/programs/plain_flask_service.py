"""A Flask service that has never heard of Homeostat."""

import os

from flask import Flask
from opentelemetry import trace

app = Flask(__name__)


@app.get("/work/<int:number>")
def work(number: int) -> dict[str, int]:
    """Do a bit of work in a span of its own, and say which process did it."""
    with trace.get_tracer("service").start_as_current_span("work"):
        return {"number": number, "pid": os.getpid()}
