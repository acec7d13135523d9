"""A Flask service as a team would write it."""

import os

from flask import Flask
from opentelemetry import trace

import homeostat

app = Flask(__name__)
homeostat.configure("wsgi-service", app=app)


@app.get("/work/<int:number>")
def work(number: int) -> dict[str, int]:
    """Do a bit of work in a span of its own, and say which process did it."""
    with trace.get_tracer("service").start_as_current_span("work"):
        return {"number": number, "pid": os.getpid()}
