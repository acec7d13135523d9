"""Tempo's lists of tags and of their values, for who writes TraceQL. What there is is found in `query`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from homeostat_server.api.go_values import parse_integer
from homeostat_server.api.reading import Reading
from homeostat_server.api.tempo.answers import json_response, metrics_of
from homeostat_server.api.tempo.parameters import TimesParameters, named
from homeostat_server.exceptions import InvalidRequest
from homeostat_server.model.identity import Principal
from homeostat_server.query.attributes.conditions import AttributeScope
from homeostat_server.query.binding import Binder
from homeostat_server.query.completion.listing import KEYS_MAX, VALUES_MAX, Spans, list_keys, list_values
from homeostat_server.query.intrinsics.choosing import choice_of
from homeostat_server.query.intrinsics.values import list_intrinsic_values
from homeostat_server.query.window import Window
from homeostat_server.store.ports import WatchedReader

Json = dict[str, Any]

SCOPES: Final[Mapping[str, AttributeScope]] = {
    "span": AttributeScope.SPAN,
    "resource": AttributeScope.RESOURCE,
    "event": AttributeScope.EVENT,
    "link": AttributeScope.LINK,
    "instrumentation": AttributeScope.SCOPE,
}

INTRINSICS: Final = (
    "duration",
    "event:name",
    "event:timeSinceStart",
    "instrumentation:name",
    "instrumentation:version",
    "kind",
    "name",
    "rootName",
    "rootServiceName",
    "span:duration",
    "span:kind",
    "span:name",
    "span:status",
    "span:statusMessage",
    "status",
    "statusMessage",
    "trace:duration",
    "trace:rootName",
    "trace:rootService",
    "traceDuration",
)
"""Those that Tempo lists."""

_FIELDS: Final = {
    "name": "name",
    "span:name": "name",
    "statusMessage": "status_message",
    "span:statusMessage": "status_message",
    "rootName": "root_name",
    "trace:rootName": "root_name",
    "rootServiceName": "root_service",
    "trace:rootService": "root_service",
    "event:name": "event_name",
}
_STATUSES: Final = ("error", "ok", "unset")
_KINDS: Final = ("client", "consumer", "internal", "producer", "server")
_WORDS: Final = {"status": _STATUSES, "span:status": _STATUSES, "kind": _KINDS, "span:kind": _KINDS}
_OF_SCOPE: Final = {"instrumentation:name": "otel.scope.name", "instrumentation:version": "otel.scope.version"}
_SCOPE_COLUMNS: Final = frozenset(_OF_SCOPE.values())

_TYPES: Final = {"string": "string", "int": "int", "double": "float", "bool": "bool"}


class TagsParameters(TimesParameters):
    """Ask for the names of tags."""

    scope: str = Field("", description="`resource`, `span`, `event`, `link`, `instrumentation` or `intrinsic`")
    q: str = Field("", description="TraceQL: only what spans have that it finds", examples=["{ status = error }"])
    limit: str | None = Field(None, description=f"Names of each scope; at most {KEYS_MAX}")
    maxStaleValues: str | None = Field(None, description="Accepted; not needed")  # noqa: N815 - Tempo's name

    def names_max(self, most: int) -> int:
        """Return how many names are wanted at most; 0 and more than are ever given are all that are.

        Raises:
            InvalidRequest: it is no number, or below zero.
        """
        limit = named("limit", parse_integer, self.limit) or most
        if limit < 0:
            raise InvalidRequest("invalid limit: must be a non-negative number")
        return min(limit, most)

    def scopes(self) -> list[str]:
        """Return the scopes that are asked for.

        Raises:
            InvalidRequest: there is no such scope.
        """
        if self.scope in ("", "none", "all"):
            return [*SCOPES, "intrinsic"]
        if self.scope not in (*SCOPES, "intrinsic"):
            raise InvalidRequest(f"invalid scope: {self.scope[:100]}")
        return [self.scope]


class ValuesParameters(TagsParameters):
    """Ask for the values of a tag."""


@dataclass(frozen=True, slots=True)
class TagValue:
    """Hold a value and the type that Tempo says it has."""

    type: str
    value: str


Shape = Callable[[TagValue], object]


@dataclass(frozen=True, slots=True)
class Tag:
    """Hold a tag: an intrinsic, or an attribute in one of some scopes."""

    name: str
    scopes: tuple[AttributeScope, ...] = ()


def tag_of_text(text: str) -> Tag:
    """Return the tag that an identifier of TraceQL names.

    Raises:
        InvalidRequest: it is none.
    """
    if text in INTRINSICS:
        return Tag(text)
    scope, dot, name = text.partition(".")
    if dot and name and not scope:
        return Tag(_unquoted(name), (AttributeScope.SPAN, AttributeScope.RESOURCE))
    if dot and name and scope in SCOPES:
        return Tag(_unquoted(name), (SCOPES[scope],))
    raise InvalidRequest(f"tag name is not valid intrinsic or scoped attribute: {text[:100]}")


def tag_values(reader: WatchedReader, *, spans: Spans, tag: Tag, values_max: int) -> list[TagValue]:
    """Return the values of a tag, the most frequent first."""
    if tag.scopes:
        return _attribute_values(reader, spans, tag.scopes, key=tag.name, values_max=values_max)
    if tag.name in _WORDS:
        return [TagValue("keyword", word) for word in _WORDS[tag.name]]
    if tag.name in _OF_SCOPE:
        return _attribute_values(reader, spans, (AttributeScope.SCOPE,), key=_OF_SCOPE[tag.name], values_max=values_max)
    if tag.name in _FIELDS:
        found = list_intrinsic_values(reader, spans=spans, field=_FIELDS[tag.name], values_max=values_max)
        return [TagValue("string", value) for value in found]
    return []  # of durations there are too many to choose from


def add_completion(router: APIRouter, reading: Reading) -> None:
    """Add the routes."""
    _add_tags(router, reading)
    _add_values(router, reading)


def _add_tags(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    def asking(
        principal: Principal, asked: TagsParameters, shape: Callable[[Mapping[str, Sequence[str]]], Json]
    ) -> Callable[[WatchedReader], Json]:
        def ask(reader: WatchedReader) -> Json:
            scopes = asked.scopes()
            spans = _spans(asked, principal, window=asked.window(now_ns=reading.clock.now_ns()))
            found = {scope: _tag_names(reader, spans, scope, asked.names_max(KEYS_MAX)) for scope in scopes}
            return shape({scope: names for scope, names in found.items() if names}) | {"metrics": metrics_of(reader)}

        return ask

    @router.get("/tempo/api/search/tags", summary="List names of tags, as Tempo does")
    async def first(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[TagsParameters, Query()]
    ) -> Response:
        return json_response(await reading.ask("tempo_tags", request, asking(principal, asked, _flat)))

    @router.get("/tempo/api/v2/search/tags", summary="List names of tags by their scopes, as Tempo does")
    async def second(
        request: Request, principal: Annotated[Principal, caller], asked: Annotated[TagsParameters, Query()]
    ) -> Response:
        return json_response(await reading.ask("tempo_tags", request, asking(principal, asked, _by_scope)))


def _spans(asked: TagsParameters, principal: Principal, *, window: Window) -> Spans:
    binder = Binder()
    return Spans(tenant=principal.tenant, window=window, choice=choice_of(asked.q, binder), binder=binder)


def _flat(found: Mapping[str, Sequence[str]]) -> Json:
    return {"tagNames": sorted({name for scope, names in found.items() if scope != "intrinsic" for name in names})}


def _by_scope(found: Mapping[str, Sequence[str]]) -> Json:
    return {"scopes": [{"name": scope, "tags": list(names)} for scope, names in found.items()]}


def _tag_names(reader: WatchedReader, spans: Spans, scope: str, names_max: int) -> list[str]:
    if scope == "intrinsic":
        return list(INTRINSICS)
    found = list_keys(reader, spans=spans, scopes=[SCOPES[scope]], prefix="", keys_max=names_max)
    names = {name for key in found.keys for name in key.names if name not in _SCOPE_COLUMNS}
    return sorted(names)[:names_max]


def _add_values(router: APIRouter, reading: Reading) -> None:
    caller = Depends(reading.caller)

    async def answer(
        request: Request,
        principal: Principal,
        asked: ValuesParameters,
        *,
        tag: Tag,
        shape: Callable[[TagValue], object],
    ) -> Response:
        def ask(reader: WatchedReader) -> Json:
            spans = _spans(asked, principal, window=asked.window(now_ns=reading.clock.now_ns()))
            found = tag_values(reader, spans=spans, tag=tag, values_max=asked.names_max(VALUES_MAX))
            return {"tagValues": [shape(value) for value in found], "metrics": metrics_of(reader)}

        return json_response(await reading.ask("tempo_values", request, ask))

    @router.get("/tempo/api/search/tag/{tag:path}/values", summary="List the values of a tag, as Tempo does")
    async def first(
        request: Request,
        principal: Annotated[Principal, caller],
        tag: Annotated[str, Path(examples=["service.name"])],
        asked: Annotated[ValuesParameters, Query()],
    ) -> Response:
        wanted = Tag(tag) if tag in INTRINSICS else Tag(tag, (AttributeScope.SPAN, AttributeScope.RESOURCE))
        return await answer(request, principal, asked, tag=wanted, shape=lambda value: value.value)

    @router.get("/tempo/api/v2/search/tag/{tag:path}/values", summary="List the values of a tag with their types")
    async def second(
        request: Request,
        principal: Annotated[Principal, caller],
        tag: Annotated[str, Path(description="An identifier of TraceQL", examples=["resource.service.name"])],
        asked: Annotated[ValuesParameters, Query()],
    ) -> Response:
        return await answer(request, principal, asked, tag=tag_of_text(tag), shape=_typed_json)


def _typed_json(value: TagValue) -> Json:
    return {"type": value.type, "value": value.value}


def _attribute_values(
    reader: WatchedReader, spans: Spans, scopes: Sequence[AttributeScope], *, key: str, values_max: int
) -> list[TagValue]:
    counts: dict[TagValue, int] = {}
    for scope in scopes:
        found = list_values(reader, spans=spans, scope=scope, key=key, prefix="", values_max=values_max)
        for value in found.values:
            for kind in value.kinds:
                typed = TagValue(_TYPES.get(kind, "string"), value.value)
                counts[typed] = counts.get(typed, 0) + value.count
    return sorted(counts, key=lambda typed: (-counts[typed], typed.value, typed.type))[:values_max]


def _unquoted(name: str) -> str:
    is_quoted = len(name) > 1 and name.startswith('"') and name.endswith('"')
    return name[1:-1].replace('\\"', '"').replace("\\\\", "\\") if is_quoted else name
