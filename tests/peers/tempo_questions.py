"""Every route of Tempo's API, asked about the fixed set of traces, failures included."""

import json
from typing import Any, Final
from urllib.parse import quote, urlencode

from tests.peers.questions import Question
from tests.peers.traces import CONSUME, SHORT, START_NS, UNKNOWN

START_S: Final = START_NS // 10**9
END_S: Final = START_S + 600


def _asked(route: str, **values: object) -> str:
    return f"{route}?{urlencode(values)}" if values else route


def _search(name: str, **values: object) -> Question:
    return Question(name=f"search: {name}", path=_asked("/api/search", start=START_S - 1, end=END_S, **values))


def _values(name: str, *, q: str = "") -> Question:
    path = f"/api/v2/search/tag/{quote(name, safe='')}/values"
    values: dict[str, object] = {"start": START_S - 1, "end": END_S} | ({"q": q} if q else {})
    return Question(name=f"values of {name}{f' where {q}' if q else ''}", path=_asked(path, **values))


def _measured(kind: str, q: str, **values: object) -> Question:
    return Question(name=f"{kind}: {q}", path=_asked(f"/api/metrics/{kind}", q=q, start=START_S, end=END_S, **values))


_TIMES: Final = {"start": START_S - 1, "end": END_S}

QUESTIONS: Final = [
    Question(name="echo", path="/api/echo"),
    Question(name="trace v1", path=f"/api/traces/{SHORT}"),
    Question(name="trace v1 without zeros", path=f"/api/traces/{SHORT.lstrip('0')}"),
    Question(name="trace v1 with links", path=f"/api/traces/{CONSUME}"),
    Question(name="trace v1 with times", path=_asked(f"/api/traces/{SHORT}", **_TIMES)),
    Question(name="trace v1 unknown", path=f"/api/traces/{UNKNOWN}"),
    Question(name="trace v1 of zero", path="/api/traces/0"),
    Question(name="trace v1 not hexadecimal", path="/api/traces/nothing"),
    Question(name="trace v1 too long", path=f"/api/traces/{'1' * 33}"),
    Question(name="trace v1 times the wrong way round", path=_asked(f"/api/traces/{SHORT}", start=20, end=10)),
    Question(name="trace v2", path=f"/api/v2/traces/{SHORT}"),
    Question(name="trace v2 unknown", path=f"/api/v2/traces/{UNKNOWN}"),
    Question(name="trace v2 not hexadecimal", path="/api/v2/traces/nothing"),
    _search("service", q='{ resource.service.name = "mailer" }'),
    _search("attribute", q='{ span.customer = "acme" }'),
    _search("status", q="{ status = error }"),
    _search("child", q='{ resource.service.name = "edge" } >> { name = "Payments/Charge" }'),
    _search("nothing found", q='{ name = "nobody" }'),
    _search("one span of several", q='{ resource.service.name = "checkout" && kind = client }', spss=1),
    _search("limit", q="{ }", limit=1),
    _search("limit of nothing", q="{ }", limit=0),
    _search("limit that is none", q="{ }", limit="many"),
    _search("no TraceQL", q="{ service = }"),
    _search("both forms", q="{ }", tags="customer=acme"),
    _search("tags", tags='customer=ACM name="tick"'),
    _search("tags and duration", tags="service.name=edge", minDuration="1s"),
    _search("tags twice", tags="a=b a=c"),
    _search("durations the wrong way round", tags="a=b", minDuration="2s", maxDuration="1s"),
    Question(name="search: times the wrong way round", path=_asked("/api/search", q="{ }", start=20, end=10)),
    Question(name="tags v1", path=_asked("/api/search/tags", scope="resource", **_TIMES)),
    Question(name="tags v1 of no scope", path=_asked("/api/search/tags", scope="nothing", **_TIMES)),
    Question(name="tags v2", path=_asked("/api/v2/search/tags", **_TIMES)),
    Question(name="tags v2 of a scope", path=_asked("/api/v2/search/tags", scope="event", **_TIMES)),
    Question(name="values v1", path=_asked("/api/search/tag/service.name/values", **_TIMES)),
    _values("resource.service.name"),
    _values(".service.name"),
    _values("span.http.response.status_code"),
    _values("span.yes"),
    _values("status"),
    _values("kind"),
    _values("name", q='{ resource.service.name = "mailer" }'),
    _values("resource.service.name", q='{ span.customer = "acme" }'),
    _values("resource.service.name", q="{ span.customer = "),
    _values("span.nobody"),
    _measured("query", "{ } | count_over_time()"),
    _measured("query", "{ } | count_over_time() by (resource.service.name)"),
    _measured("query", "{ status = error } | rate()"),
    _measured("query_range", "{ status = error } | count_over_time()", step="300s", exemplars=1),
    _measured("query_range", "{ nothing"),
    _measured("query_range", "{ }", step="0s"),
]


def normal(body: Any) -> Any:  # noqa: ANN401 - any document
    """Return an answer in one order and without what it has cost."""
    if isinstance(body, list):
        return sorted((normal(item) for item in body), key=lambda item: json.dumps(item, sort_keys=True))
    if isinstance(body, dict):
        return {key: normal(value) for key, value in body.items() if key not in ("metrics", "exemplars")}
    return body
