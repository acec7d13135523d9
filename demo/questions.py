"""Questions to the platform over HTTP, and how each was answered. It does not know which answers are right."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

import httpx
from prometheus_client.parser import text_string_to_metric_families

PAGES_MAX: Final = 50
"""Of one list: 10,000 traces."""

_TIMEOUT_S: Final = 30.0

Item = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Hold how a question was answered.

    Attributes:
        path: what was asked, with its parameters, without the cursor.
        status: of HTTP, 0 when there was no answer at all.
        document: the JSON, or the text where it is none.
        duration_ms: from asking to having the whole answer.
    """

    path: str
    status: int
    document: Any
    duration_ms: float

    @property
    def is_ok(self) -> bool:
        """Say whether it was answered as asked."""
        return self.status == httpx.codes.OK

    def items(self, key: str) -> list[Item]:
        """Return the list under a key, none when the question was not answered."""
        return list(self.document.get(key, ())) if self.is_ok else []


@dataclass(frozen=True, slots=True)
class Samples:
    """Hold what the platform counts about itself, by name and labels."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]

    def total(self, name: str, **labels: str) -> float:
        """Return the sum of all samples of a name that have these labels."""
        wanted = set(labels.items())
        return sum(value for (named, having), value in self.values.items() if named == name and wanted <= having)

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """Return the sums of a name's samples by the values of a label."""
        found = {dict(having)[label] for named, having in self.values if named == name}
        return {value: self.total(name, **{label: value}) for value in sorted(found)}


def parse_samples(text: str) -> Samples:
    """Return the samples of a text in Prometheus' format."""
    families = text_string_to_metric_families(text)
    return Samples(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }
    )


class Asking:
    """Ask one platform."""

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Say where it is, and in tests, what answers in its place."""
        self._client = httpx.AsyncClient(base_url=url, timeout=_TIMEOUT_S, trust_env=False, transport=transport)

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def ask(self, path: str, **parameters: str) -> Answer:
        """Return the answer to a question, also when it is none."""
        request = self._client.build_request("GET", path, params=parameters)
        # A cursor says nothing to a person, and at great length.
        shown = request.url.copy_remove_param("cursor").raw_path.decode("ascii")
        began_s = time.monotonic()
        try:
            answer = await self._client.send(request)
        except httpx.RequestError as error:
            return Answer(path=shown, status=0, document=repr(error), duration_ms=_since_ms(began_s))
        is_json = "json" in answer.headers.get("content-type", "")
        return Answer(
            path=shown,
            status=answer.status_code,
            document=answer.json() if is_json else answer.text,
            duration_ms=_since_ms(began_s),
        )

    async def pages(self, path: str, **parameters: str) -> AsyncIterator[Answer]:
        """Yield the pages of a list until its end, at most `PAGES_MAX`."""
        cursor: dict[str, str] = {}
        for _ in range(PAGES_MAX):
            page = await self.ask(path, **parameters, **cursor)
            yield page
            following = page.document.get("next_cursor") if page.is_ok else None
            if following is None:
                return
            cursor = {"cursor": following}

    async def samples(self) -> Samples:
        """Return what the platform counts about itself, nothing when it does not answer."""
        answer = await self.ask("/metrics")
        return parse_samples(answer.document if answer.is_ok else "")


def _since_ms(began_s: float) -> float:
    return (time.monotonic() - began_s) * 1_000
