"""What has to be there after the traffic: asks every kind of question and says what is missing. It prints nothing.

The services have sent all they had, and the platform has acknowledged it; so everything has to be readable soon.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from demo.questions import Answer, Asking, Item, Samples
from demo.services.roles import PRICING, ROLES, SHOP

SIGNALS: Final = ("traces", "logs", "metrics")

ITEMS: Final = "homeostat_ingest_items_total"
"""What the platform counts: items by signal and outcome."""

NAMES: Final = frozenset(role.name for role in ROLES)

_LOGGING: Final = NAMES - {SHOP.name}
"""Shop says nothing of a customer who only looks."""

_LISTED_MAX: Final = 3  # of things missing, named in one line

_SAID_LENGTH_MAX: Final = 200

_FINE_OUTCOMES: Final = frozenset({"accepted", "duplicate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Hold what is known of the traffic.

    Attributes:
        began: when the first visit was sent, in a form that the API reads.
        trace_ids: of visits that were answered.
        whole_trace_id: of a visit that all services had a part in.
        unexpected: visits that were not answered as they should have been, as sentences.
    """

    began: str
    trace_ids: Sequence[str]
    whole_trace_id: str
    unexpected: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Hold one question as it is shown in the summary: the answer, and how many of what was in it."""

    answer: Answer
    count: int
    noun: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """Hold everything that was asked, what the platform counted, and what is missing, each as a sentence."""

    asked: tuple[Asked, ...]
    samples: Samples
    missing: tuple[str, ...]


async def prove(asking: Asking, sent: Sent) -> Proof:
    """Ask every kind of question once and return what was found and what was not."""
    samples = await asking.samples()
    asked: list[Asked] = []
    missing = [*missing_counts(samples), *sent.unexpected]
    async for question, gaps in _questions(asking, sent, samples):
        asked.append(question)
        missing += _gaps(question.answer, gaps)
    return Proof(asked=tuple(asked), samples=samples, missing=tuple(missing))


def _gaps(answer: Answer, gaps: Iterable[str]) -> Sequence[str]:
    """Return what is missing in an answer, or that it is none, or not as the API's pages say."""
    if not answer.is_ok:
        return [_unanswered(answer)]
    try:
        return tuple(gaps)
    except (KeyError, TypeError) as error:
        return [f"GET {answer.path} was answered in another form: {error!r}"]


async def _questions(asking: Asking, sent: Sent, samples: Samples) -> AsyncIterator[tuple[Asked, Iterable[str]]]:
    health = await asking.ask("/health")
    yield Asked(answer=health, count=len(_checks(health)), noun="checks"), missing_health(health)
    services = await asking.ask("/api/v1/services", start=sent.began)
    found = services.items("services")
    spans = samples.total(ITEMS, signal="traces", outcome="accepted")
    yield Asked(answer=services, count=len(found), noun="services"), missing_services(found, acknowledged=int(spans))
    for role in ROLES:
        answer = await asking.ask(f"/api/v1/services/{role.name}/operations", start=sent.began)
        operations = answer.items("operations")
        gaps = [] if operations else [f"operations of {role.name}"]
        yield Asked(answer=answer, count=len(operations), noun="operations"), gaps
    yield await _traces(asking, sent)
    drawn = await asking.ask("/api/v1/service-map", start=sent.began)
    edges = drawn.items("edges")
    yield Asked(answer=drawn, count=len(edges), noun="edges"), missing_edges(edges)
    trace = await asking.ask(f"/api/v1/traces/{sent.whole_trace_id}")
    yield Asked(answer=trace, count=len(spans_of(trace)), noun="spans"), missing_spans(trace)
    logs = await asking.ask("/api/v1/logs", trace_id=sent.whole_trace_id)
    records = logs.items("logs")
    yield Asked(answer=logs, count=len(records), noun="log records"), missing_logs(records, sent.whole_trace_id)
    yield await _metrics(asking)
    series = await asking.ask(f"/api/v1/metrics/{PRICING.metrics[0]}")
    found = series.items("series")
    yield Asked(answer=series, count=len(found), noun="series"), [] if found else [f"series of {PRICING.metrics[0]}"]


async def _traces(asking: Asking, sent: Sent) -> tuple[Asked, Iterable[str]]:
    """Look for every visit's trace, newest first, until all are found."""
    wanted = set(sent.trace_ids)
    count = 0
    async for page in asking.pages("/api/v1/traces", service=SHOP.name, start=sent.began, limit="200"):
        found = page.items("traces")
        count += len(found)
        wanted -= {trace.get("trace_id", "") for trace in found}
        if not wanted:
            break
    gaps = [f"traces of {len(wanted)} visits: {_some(wanted)}"] if wanted else []
    return Asked(answer=page, count=count, noun="traces"), gaps


async def _metrics(asking: Asking) -> tuple[Asked, Iterable[str]]:
    """Look for every metric of the services, by name."""
    found: list[Item] = []
    async for page in asking.pages("/api/v1/metrics"):
        found += page.items("metrics")
    return Asked(answer=page, count=len(found), noun="metrics"), missing_metrics(found)


def missing_health(health: Answer) -> Iterator[str]:
    """Yield what the platform says is not well with itself."""
    if health.is_ok and health.document["status"] != "ok":
        failing = [name for name, check in _checks(health).items() if check["status"] != "ok"]
        yield f"health: {health.document['status']} ({_some(failing)})"


def missing_services(found: Sequence[Item], *, acknowledged: int) -> Iterator[str]:
    """Yield which services are missing or have no rate, and whether spans that were acknowledged cannot be read."""
    by_name = {service["name"]: service for service in found}
    yield from (f"service {name}" for name in sorted(NAMES - by_name.keys()))
    yield from (f"rate of service {name}" for name in sorted(NAMES & by_name.keys()) if not by_name[name]["rate"])
    readable = sum(service["spans"] for service in found)
    if readable != acknowledged:
        yield f"spans: {acknowledged} were acknowledged, {readable} are readable"


def missing_edges(found: Sequence[Item]) -> Iterator[str]:
    """Yield which calls from one service to another are not on the map."""
    drawn = {(edge["caller"]["name"], edge["callee"]["name"]) for edge in found}
    called = [(role.name, role.asks) for role in ROLES if role.asks]
    yield from (f"edge from {caller} to {callee}" for caller, callee in called if (caller, callee) not in drawn)


def spans_of(trace: Answer) -> list[tuple[str, Item]]:
    """Return the spans of a trace in OTLP/JSON, each with its service's name."""
    return [
        (_service(resource), span)
        for resource in trace.items("resourceSpans")
        for scope in resource.get("scopeSpans", ())
        for span in scope.get("spans", ())
    ]


def missing_spans(trace: Answer) -> Iterator[str]:
    """Yield which services have no span in a trace, and whether the spans do not hang together."""
    found = spans_of(trace)
    yield from (f"spans of {name} in a trace" for name in sorted(NAMES - {name for name, _ in found}))
    known = {span["spanId"] for _, span in found}
    loose = [span["name"] for _, span in found if span.get("parentSpanId", "") not in known | {""}]
    if loose:
        yield f"parents in a trace of: {_some(loose)}"


def missing_logs(records: Sequence[Item], trace_id: str) -> Iterator[str]:
    """Yield which services have no log record with the id of a trace that they had a part in."""
    of_trace = {record["service"] for record in records if record["trace_id"] == trace_id}
    yield from (f"log records of {name} with a trace id" for name in sorted(_LOGGING - of_trace))


def missing_metrics(found: Sequence[Item]) -> Iterator[str]:
    """Yield which metrics of the services are missing or have no value."""
    by_name = {metric["name"]: metric for metric in found}
    for role in ROLES:
        yield from (f"metric {name}" for name in role.metrics if name not in by_name)
        yield from (
            f"value of metric {name}" for name in role.metrics if name in by_name and not by_name[name]["newest"]
        )


def missing_counts(samples: Samples) -> Iterator[str]:
    """Yield of which signal nothing was ingested, and what was refused."""
    for signal in SIGNALS:
        if not samples.total(ITEMS, signal=signal, outcome="accepted"):
            yield f"ingested {signal}"
        if refused := samples.total(ITEMS, signal=signal, outcome="rejected"):
            yield f"{signal}: {refused:.0f} items were refused"
    outcomes = samples.by_label("homeostat_ingest_requests_total", "outcome")
    yield from (f"exports: {outcomes[name]:.0f} ended as {name}" for name in sorted(outcomes.keys() - _FINE_OUTCOMES))


def _checks(health: Answer) -> dict[str, Any]:
    return health.document.get("checks", {}) if health.is_ok else {}


def _service(resource: Item) -> str:
    """Return what `service.name` says, nothing when it is not there."""
    attributes = resource.get("resource", {}).get("attributes", ())
    named = {attribute["key"]: attribute["value"].get("stringValue", "") for attribute in attributes}
    return str(named.get("service.name", ""))


def _unanswered(answer: Answer) -> str:
    said = answer.document.get("detail", "") if isinstance(answer.document, dict) else answer.document
    how = f"answered {answer.status}" if answer.status else "not answered"
    return f"GET {answer.path} was {how}: {str(said)[:_SAID_LENGTH_MAX]}"


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    more = len(listed) - _LISTED_MAX
    return ", ".join(listed[:_LISTED_MAX]) + (f" and {more} more" if more > 0 else "")
