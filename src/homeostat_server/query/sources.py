"""What a source number stands for: a resource and an instrumentation scope. It does not know what they sent."""

import threading
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.model.tenant import Tenant
from homeostat_server.query import sql
from homeostat_server.query.rows import digits, integer, pairs, raws, text
from homeostat_server.query.values import fill_attributes
from homeostat_server.store.ports import Row, TelemetryReader

REMEMBERED_MAX: Final = 4_096
"""Sources in memory: a fleet of a thousand processes with a few scopes each, about 2 KB a source."""

REMEMBERED_BYTES_MAX: Final = 8_192
"""Of one source that is remembered, so that all of them take at most 32 MiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold the messages that came around the items of one source."""

    service: str
    resource: Resource
    resource_schema_url: str
    scope: InstrumentationScope
    scope_schema_url: str


class SourceMemory:
    """Remember sources, those that were used last; what a number stands for never changes. Thread-safe."""

    def __init__(self, *, sources_max: int = REMEMBERED_MAX) -> None:
        """Begin with none."""
        self._sources_max = sources_max
        self._lock = threading.Lock()
        self._sources: OrderedDict[tuple[Tenant, int], Source] = OrderedDict()

    def find(self, tenant: Tenant, numbers: Collection[int]) -> dict[int, Source]:
        """Return those of a tenant's sources that are remembered; they are shared, so nobody changes them."""
        found = {}
        with self._lock:
            for number in numbers:
                source = self._sources.get((tenant, number))
                if source is not None:
                    self._sources.move_to_end((tenant, number))
                    found[number] = source
        return found

    def remember(self, tenant: Tenant, sources: Mapping[int, Source]) -> None:
        """Keep a tenant's sources; the ones that were not used for longest make room, large ones are not kept."""
        with self._lock:
            for number, source in sources.items():
                if source.resource.ByteSize() + source.scope.ByteSize() <= REMEMBERED_BYTES_MAX:
                    self._sources[tenant, number] = source
            while len(self._sources) > self._sources_max:
                self._sources.popitem(last=False)


def read_sources(
    reader: TelemetryReader, *, tenant: Tenant, numbers: Collection[int], known: SourceMemory | None = None
) -> dict[int, Source]:
    """Return the sources of these numbers; one that is not known any more is missing.

    With a memory given, what it knows is not asked for, and what is asked for is remembered.
    """
    found = {} if known is None else known.find(tenant, numbers)
    missing = sorted(set(numbers) - found.keys())
    if not missing:
        return found
    listed = ",".join(map(str, missing))
    rows = reader.read(tenant, sql.SOURCES, {"tenant": tenant, "sources": listed})
    read = {integer(row["source"]): _source(row) for row in rows}
    if known is not None:
        known.remember(tenant, read)
    return found | read


def _source(row: Row) -> Source:
    return Source(
        service=text(row["service"]),
        resource=_resource(row),
        resource_schema_url=text(row["resource_schema_url"]),
        scope=_scope(row),
        scope_schema_url=text(row["scope_schema_url"]),
    )


def _resource(row: Row) -> Resource:
    resource = Resource(dropped_attributes_count=integer(row["resource_dropped_attributes"]))
    fill_attributes(resource.attributes, stored=pairs(row["resource"]), kinds=digits(row["resource_kinds"]))
    for entity in raws(row["resource_entities"]):
        resource.entity_refs.add().ParseFromString(entity)
    return resource


def _scope(row: Row) -> InstrumentationScope:
    scope = InstrumentationScope(
        name=text(row["scope_name"]),
        version=text(row["scope_version"]),
        dropped_attributes_count=integer(row["scope_dropped_attributes"]),
    )
    fill_attributes(scope.attributes, stored=pairs(row["scope"]), kinds=digits(row["scope_kinds"]))
    return scope
