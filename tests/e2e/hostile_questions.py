"""Questions that nobody in their right mind would ask: every route that answers a GET, with parameters of all kinds.

The routes and their parameters are read from the platform's own description, so that a new one is asked as soon as it
is there. The same seed and description give the same questions. It does not know how they are asked.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final
from urllib.parse import quote, quote_plus

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.mutations import mutated
from tests.traceql_queries import TraceqlQueries, Words

PREFIXES: Final = ("/api/v1/", "/tempo/", "/jaeger/")
_UNDESCRIBED: Final = (
    *("/tempo/api/echo", "/tempo/api/search", "/tempo/api/v2/search/tags", "/tempo/api/traces/zz"),
    *("/tempo/api/search/tag//values", "/jaeger/api/traces/", "/jaeger/api/unknown", "/api/v1/", "/api/v1/traces//"),
    *("/tempo/api/v2/search/tag/.service.name/values", "/jaeger/api/traces/%00", "/api/v1/traces/%2e%2e%2f"),
)
"""Paths beside the described ones."""

_NUMBERS: Final = (
    *("0", "1", "-1", "20", "200", "1001", "2147483648", "9223372036854775807", "-9223372036854775809", "1e3"),
    *("18446744073709551616", "9" * 300, "1.5", "NaN", "inf", "-inf", "0x10", "1_000", " 1", "+1", "\u0661", "1e400"),
)
_DURATIONS: Final = (
    *("1ms", "250ms", "1.5s", "1m", "15m", "1h", "24h", "31d", "32d", "9999999d", "-1s", "0s", "1ns", "1", "s"),
    *("1h30m", "1h 30m", "1e3s", "60", "5µs", "99999999999999999999s"),
)
_TIMES: Final = (
    *("0", "-1", "1", "2026-01-31T08:00:00Z", "2026-01-31T08:00:00.123456789Z", "2026-02-30T00:00:00Z", "now", ""),
    *("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "2026-01-31T08:00:00+25:00", "1e18", "9223372036854775807"),
    *("99999999999999999999", "yesterday", "1769846400", "1769846400000", "1769846400000000000", "now-1h"),
)
_TEXTS: Final = (
    *("", " ", "a", "'", '"', "\\", "\\'", "%", "_", "*", "é", "\u202e", "\ud7ff", "\U0001f9ea", "\x00", "\x1f", "\n"),
    *("' OR 1=1 --", "'; DROP TABLE spans; --", "{x:String}", "{{", "${jndi:ldap://x}", "../../etc/passwd"),
    *(
        "<script>",
        "null",
        "true",
        "nan",
        "-",
        "=",
        "a=b",
        "a=b=c",
        "a!=b",
        "a>1",
        "a~.*",
        "a~(",
        "=b",
        "span.a=1",
        "\ufeff",
    ),
)
_ATTRIBUTES: Final = (
    "{}={}",
    "{}!={}",
    "{}>{}",
    "{}>={}",
    "{}<{}",
    "{}~{}",
    "{}=~{}",
    "{}!~{}",
    "{}",
    "!{}",
    "{} = {}",
)
_ODD_ESCAPES: Final = ("%", "%zz", "%ff%fe", "%00", "&&", "=", ";", "+", "%u1234")
_SCOPES: Final = ("", "", "span.", "resource.", "event.", "link.", "scope.", "instrumentation.", ".", "unknown.")
_IDS: Final = ("", "0" * 32, "f" * 32, "zz", "0" * 31, "0" * 33, "A" * 16, "-1", "é" * 16, "0" * 5_000, "%s", "0x1")


@dataclass(slots=True)
class Known:
    """Hold what the spans that are asked about really have."""

    trace_ids: list[str] = field(default_factory=list)
    span_ids: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    operations: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str]] = field(default_factory=list)
    first_ns: int = 2**63
    last_ns: int = 0

    def learn(self, body: bytes) -> None:
        """Take in what a request says."""
        request = ExportTraceServiceRequest.FromString(body)
        for block in request.resource_spans:
            self.services += [
                item.value.string_value for item in block.resource.attributes if item.key == "service.name"
            ]
            self.attributes += [(item.key, item.value.string_value) for item in block.resource.attributes]
            for span in (span for scope in block.scope_spans for span in scope.spans):
                self.trace_ids.append(span.trace_id.hex())
                self.span_ids.append(span.span_id.hex())
                self.operations.append(span.name)
                self.attributes += [(item.key, _shown(item.value)) for item in span.attributes]
                self.first_ns = min(self.first_ns, span.start_time_unix_nano)
                self.last_ns = max(self.last_ns, span.start_time_unix_nano)


def _shown(value: Any) -> str:  # noqa: ANN401 - an AnyValue
    kind = value.WhichOneof("value")
    return str(getattr(value, kind)) if kind in {"string_value", "int_value", "double_value", "bool_value"} else ""


@dataclass(frozen=True, slots=True)
class Question:
    """Hold a request line, the headers with it, and by which trick it was made."""

    target: str
    made: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Route:
    """Hold a path with its places, and what it can be asked: names of parameters with their schemas."""

    path: str
    places: tuple[str, ...]
    parameters: Mapping[str, Mapping[str, Any]]
    required: frozenset[str]


def routes(description: Mapping[str, Any]) -> list[Route]:
    """Return the routes that answer a GET of a question, as an OpenAPI document tells them."""
    found = []
    for path, methods in sorted(description["paths"].items()):
        if "get" in methods and path.startswith(PREFIXES):
            parameters = methods["get"].get("parameters", [])
            query = {one["name"]: one.get("schema", {}) for one in parameters if one["in"] == "query"}
            places = tuple(one["name"] for one in parameters if one["in"] == "path")
            required = frozenset(one["name"] for one in parameters if one["in"] == "query" and one.get("required"))
            found.append(Route(path, places, query, required))
    return found


class HostileQuestions:
    """Make questions, the same ones for the same seed."""

    def __init__(self, known: Known, source: Sequence[Route], *, seed: str) -> None:
        """Take what the data has and what can be asked."""
        self._known = known
        self._routes = source
        self._random = Random(seed)
        words = Words(known.attributes, known.services, known.operations)
        self._traceql = TraceqlQueries(self._random, words)

    def next(self) -> Question:
        """Return another one."""
        if self._random.random() < 0.02:
            return Question(self._random.choice(_UNDESCRIBED), "undescribed")
        route = self._random.choice(self._routes)
        trick = self._random.choice(("good", "good", "mixed", "mixed", "hostile"))
        query = [(name, self._text(name, schema, trick)) for name, schema in self._asked(route)]
        if trick == "hostile" and self._random.random() < 0.2:
            query.append(self._random.choice((("unknown", "1"), ("", ""), ("limit", "1"), ("q", "{}"), ("\x00", "é"))))
        path = route.path
        for place in route.places:
            path = path.replace(f"{{{place}}}", quote(self._text(place, {}, trick)[:2_000], safe="/"))
            path = path.replace(f"{{{place}:path}}", quote(self._text(place, {}, trick)[:2_000], safe="/"))
        accept = self._random.choice(({}, {}, {}, {"Accept": "application/protobuf"}, {"Accept": "x" * 300}))
        return Question(path + self._written(query, trick), f"{route.path} {trick}", accept)

    def _asked(self, route: Route) -> list[tuple[str, Mapping[str, Any]]]:
        share = self._random.choice((0.2, 0.4, 0.7))
        chosen = [
            (name, schema)
            for name, schema in route.parameters.items()
            if (name in route.required and self._random.random() < 0.95) or self._random.random() < share
        ]
        # Mostly of the time that has data: an empty window asks nothing of the server.
        for name in ("start", "end"):
            if name in route.parameters and self._random.random() < 0.6 and name not in dict(chosen):
                chosen.append((name, route.parameters[name]))
        return [one for one in chosen for _ in range(self._random.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 2)))]

    def _written(self, query: Sequence[tuple[str, str]], trick: str) -> str:
        if not query:
            return ""
        text = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in query)
        if trick == "hostile" and self._random.random() < 0.15:
            place = self._random.randrange(len(text))
            text = (
                text[:place]
                + self._random.choice(("%", "%zz", "%ff%fe", "%00", "&&", "=", ";", "+", "%u1234"))
                + text[place:]
            )
        return f"?{text}"

    def _text(self, name: str, schema: Mapping[str, Any], trick: str) -> str:
        good = self._meant(name, schema)
        if trick == "good" or (trick == "mixed" and self._random.random() < 0.75):
            return good()
        if self._random.random() < 0.4:
            return mutated(self._random, good().encode("utf-8", "surrogatepass")).decode("utf-8", "replace")
        return self._odd(name)

    def _odd(self, name: str) -> str:
        pick = self._random.choice
        if name in {"query", "q"} and self._random.random() < 0.7:
            return self._traceql.hostile()
        pool = pick((_TEXTS, _NUMBERS, _DURATIONS, _TIMES, _IDS, self._known.trace_ids, self._known.services))
        text = str(pick(pool))
        return text * pick((1, 1, 1, 1, 1, 30, 1_000)) if len(text) < 10 else text

    def _meant(self, name: str, schema: Mapping[str, Any]) -> Callable[[], str]:
        """Return what gives values that a parameter of this name is for."""
        for part, meant in self._meanings():
            if part in name.lower():
                return meant
        kinds = {schema.get("type"), *(one.get("type") for one in schema.get("anyOf", []))}
        options = [
            *schema.get("enum", []),
            *(value for one in schema.get("anyOf", []) for value in one.get("enum", [])),
        ]
        if options:
            return lambda: str(self._random.choice(options))
        if kinds & {"integer", "number"}:
            return lambda: self._random.choice(("1", "5", "20", "100"))
        return lambda: self._random.choice(_TEXTS)

    def _meanings(self) -> tuple[tuple[str, Callable[[], str]], ...]:
        pick, known = self._random.choice, self._known
        return (
            ("trace_id", lambda: pick(known.trace_ids)),
            ("traceid", lambda: pick(known.trace_ids)),
            ("span_id", lambda: pick(known.span_ids)),
            ("start", self._moment),
            ("end", self._moment),
            ("duration", lambda: pick(_DURATIONS[:10])),
            ("window", lambda: pick(_DURATIONS[:10])),
            ("lookback", lambda: pick(_DURATIONS[:10])),
            ("step", lambda: pick(("15s", "1m", "60", "5m", "1s"))),
            ("attribute", self._condition),
            ("filter", self._condition),
            ("tags", self._tags),
            ("tag", self._condition),
            ("service", lambda: pick(known.services)),
            ("operation", lambda: pick(known.operations)),
            ("spanname", lambda: pick(known.operations)),
            ("query", self._traceql.valid),
            ("limit", lambda: pick(("1", "5", "20", "100"))),
            ("cursor", lambda: pick(_TEXTS)),
            ("key", lambda: pick(_SCOPES) + pick(known.attributes)[0]),
            ("q", self._traceql.valid),
        )

    def _moment(self) -> str:
        spread = self._known.last_ns - self._known.first_ns
        moment = self._known.first_ns + int(self._random.uniform(-0.2, 1.2) * spread)
        return str(moment // self._random.choice((1, 1_000, 1_000_000, 1_000_000_000)))

    def _condition(self) -> str:
        key, value = self._random.choice(self._known.attributes)
        form = self._random.choice(_ATTRIBUTES if self._random.random() < 0.5 else _ATTRIBUTES[:1])
        return form.format(self._random.choice(_SCOPES) + key, value)

    def _tags(self) -> str:
        """Return tags as Jaeger writes them, or as Tempo does."""
        chosen = self._random.choices(self._known.attributes, k=self._random.randrange(1, 4))
        if self._random.random() < 0.5:
            return json.dumps(dict(chosen))
        return " ".join(f'{key}="{value}"' for key, value in chosen)


def _quoted(text: str) -> str:
    return quote_plus(text, errors="replace")
