"""`GET /api/v1/attributes` and `/api/v1/attributes/{key}/values`, for who completes a question while it is typed."""

from functools import partial
from typing import Annotated, Final, NamedTuple

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.lists import Answer, ScannedAnswer, WindowAnswer, window_answer
from homeostat_server.api.reading import Reading
from homeostat_server.api.search import SpanQuery
from homeostat_server.model.identity import Principal
from homeostat_server.model.tenant import Tenant
from homeostat_server.query.attributes.conditions import KEY_LENGTH_MAX, AttributeScope
from homeostat_server.query.attributes.patterns import check_patterns
from homeostat_server.query.binding import Binder
from homeostat_server.query.completion.listing import KEYS_MAX, VALUES_MAX, Spans, list_keys, list_values
from homeostat_server.query.window import Window, parse_window
from homeostat_server.store.ports import WatchedReader

KEYS_USUAL: Final = 200
VALUES_USUAL: Final = 100

_SAMPLED: Final = (
    "Share of the window's spans that was looked at, chosen by trace id; counts are scaled by it. null: all of them."
)


class CompletionQuery(SpanQuery):
    """Ask about attributes of spans; those of spans that fulfil everything that is asked."""

    cursor: None = Field(None, exclude=True, description="There are no further pages")
    prefix: str = Field("", max_length=KEY_LENGTH_MAX, description="How it begins", examples=["http.re"])

    def spans(self, reader: WatchedReader, *, tenant: Tenant, now_ns: int) -> tuple[Spans, Window]:
        """Return which spans are looked at, and their window.

        Raises:
            InvalidRequest: the window or a condition cannot be read.
        """
        window = parse_window(self.start, self.end, length=self.window, now_ns=now_ns)
        conditions, binder = self.conditions(), Binder()
        check_patterns(reader, tenant=tenant, conditions=conditions.attributes)
        return Spans(tenant=tenant, window=window, choice=conditions.chosen(binder), binder=binder), window


class KeysQuery(CompletionQuery):
    """Ask for the keys of attributes."""

    scope: list[AttributeScope] = Field(
        default_factory=lambda: list(AttributeScope),
        max_length=len(AttributeScope),
        description="Attributes of what; default: of everything",
        examples=[["span", "resource"]],
    )
    limit: int = Field(KEYS_USUAL, ge=1, le=KEYS_MAX)


class ValuesQuery(CompletionQuery):
    """Ask for the values of an attribute."""

    scope: AttributeScope = Field(AttributeScope.SPAN, description="What it is an attribute of")
    limit: int = Field(VALUES_USUAL, ge=1, le=VALUES_MAX)


class KeyAnswer(Answer):
    """Say what is known of a key."""

    scope: AttributeScope
    key: str = Field(description="The newest of its names", examples=["http.request.method"])
    names: list[str] = Field(
        description="Those by which it was found, the most frequent first", examples=[["http.method"]]
    )
    kinds: list[str] = Field(
        description="Of its values: string, bool, int, double, array, map, bytes, unset", examples=[["string"]]
    )
    count: int = Field(description="Spans, or events or links, that have it", examples=[8135])


class KeysAnswer(Answer):
    """Give keys of attributes, the most frequent first."""

    window: WindowAnswer
    attributes: list[KeyAnswer]
    more: bool = Field(description="There are more than these")
    sampled: float | None = Field(description=_SAMPLED, examples=[0.125])
    scanned: ScannedAnswer


class ValueAnswer(Answer):
    """Say what is known of a value."""

    value: str = Field(description="As text, whatever its kind", examples=["GET"])
    kinds: list[str] = Field(description="As which kinds it was sent", examples=[["string"]])
    count: int = Field(description="Spans, or events or links, that have it", examples=[6120])


class ValuesAnswer(Answer):
    """Give the values of an attribute, the most frequent first; arrays, maps and bytes are left out."""

    window: WindowAnswer
    scope: AttributeScope
    names: list[str] = Field(
        description="All names of the attribute, the newest first", examples=[["http.request.method", "http.method"]]
    )
    values: list[ValueAnswer]
    more: bool = Field(description="There are more than these")
    sampled: float | None = Field(description=_SAMPLED, examples=[0.125])
    scanned: ScannedAnswer


def attributes_router(reading: Reading) -> APIRouter:
    """Return the routes about attributes."""
    router = APIRouter(tags=["attributes"])
    caller = Depends(reading.caller)

    @router.get("/api/v1/attributes", summary="List the keys of attributes with counts", response_model=KeysAnswer)
    async def keys(
        query: Annotated[KeysQuery, Query()], principal: Annotated[Principal, caller], request: Request
    ) -> Response:
        return await reading.answer("attributes", request, partial(_keys, reading, principal, query))

    # A path parameter: keys may hold slashes.
    @router.get(
        "/api/v1/attributes/{key:path}/values",
        summary="List the values of an attribute with counts",
        response_model=ValuesAnswer,
    )
    async def values(
        key: Annotated[str, Path(description="Any of its names", examples=["http.method"], max_length=KEY_LENGTH_MAX)],
        query: Annotated[ValuesQuery, Query()],
        principal: Annotated[Principal, caller],
        request: Request,
    ) -> Response:
        asked = _ValuesAsked(query, principal.tenant, key, reading.clock.now_ns())
        return await reading.answer("attribute_values", request, partial(_values, asked))

    return router


class _ValuesAsked(NamedTuple):
    """Hold which values are asked for, by whom and when."""

    query: ValuesQuery
    tenant: Tenant
    key: str
    now_ns: int


def _keys(reading: Reading, principal: Principal, query: KeysQuery, reader: WatchedReader) -> KeysAnswer:
    spans, window = query.spans(reader, tenant=principal.tenant, now_ns=reading.clock.now_ns())
    scopes = dict.fromkeys(query.scope)
    found = list_keys(reader, spans=spans, scopes=scopes, prefix=query.prefix, keys_max=query.limit)
    return KeysAnswer(
        window=window_answer(window),
        attributes=[KeyAnswer.model_validate(key) for key in found.keys],
        more=found.more,
        sampled=found.sampled,
        scanned=ScannedAnswer.model_validate(reader.scanned),
    )


def _values(asked: _ValuesAsked, reader: WatchedReader) -> ValuesAnswer:
    query = asked.query
    spans, window = query.spans(reader, tenant=asked.tenant, now_ns=asked.now_ns)
    found = list_values(
        reader, spans=spans, scope=query.scope, key=asked.key, prefix=query.prefix, values_max=query.limit
    )
    return ValuesAnswer(
        window=window_answer(window),
        scope=query.scope,
        names=list(found.names),
        values=[ValueAnswer.model_validate(value) for value in found.values],
        more=found.more,
        sampled=found.sampled,
        scanned=ScannedAnswer.model_validate(reader.scanned),
    )
