"""Planted incidents in a real store, and whether a cause that was found is the one that was planted."""

from collections.abc import Sequence
from typing import Final

from benchmarks.incidents import Incident, Truth, make_incident
from homeostat_server.query.error_correlation.correlation import Asked
from homeostat_server.query.error_correlation.findings import Cause, Findings, explain
from homeostat_server.query.window import Window
from tests.otlp import NOW_NS
from tests.telemetry_store import FilledStore

CAUSES_MAX: Final = 20


def investigate(filled: FilledStore, kind: str, *, seed: int, requests: int) -> tuple[Incident, Findings]:
    """Make an incident, store its spans for a tenant of its own, and ask what broke."""
    incident = make_incident(kind, seed=seed, end_ns=NOW_NS, requests=requests)
    tenant = filled.new_tenant()
    filled.insert(tenant, *incident.requests)
    asked = Asked(window=Window(*incident.during), baseline=Window(*incident.before))
    return incident, explain(filled.store, tenant=tenant, asked=asked, causes_max=CAUSES_MAX)


def rank(causes: Sequence[Cause], truth: Truth) -> int | None:
    """Return the place of the first cause that is the true one, None when there is none."""
    return next((number for number, cause in enumerate(causes, 1) if is_true(cause, truth)), None)


def is_true(cause: Cause, truth: Truth) -> bool:
    """Say whether a cause names the planted one: the right kind of thing in the right place.

    A value that cannot be told apart from the planted one, and is only shown beside it, does not count.
    """
    is_there = cause.place.service in truth.services and cause.place.operation in truth.operations
    attribute = cause.attribute
    is_value = attribute is not None and (attribute.key, attribute.value) in truth.attributes
    if truth.kind == "slow_dependency":
        return is_value or (cause.kind == "operation" and is_there)
    if truth.kind == "retry_storm":
        return cause.retries is not None and is_there and cause.retries.caller.service == truth.caller
    if truth.kind == "lock_convoy":
        return cause.kind == "lock_convoy" and is_there
    return is_value
