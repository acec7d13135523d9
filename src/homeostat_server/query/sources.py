"""What a source number stands for: a resource and an instrumentation scope. It does not know what they sent."""

from collections.abc import Collection
from dataclasses import dataclass

from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.model.tenant import Tenant
from homeostat_server.query import sql
from homeostat_server.query.rows import digits, integer, pairs, raws, text
from homeostat_server.query.values import fill_attributes
from homeostat_server.store.ports import Row, TelemetryReader


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Hold the messages that came around the items of one source."""

    service: str
    resource: Resource
    resource_schema_url: str
    scope: InstrumentationScope
    scope_schema_url: str


def read_sources(reader: TelemetryReader, *, tenant: Tenant, numbers: Collection[int]) -> dict[int, Source]:
    """Return the sources of these numbers; one that is not known any more is missing."""
    if not numbers:
        return {}
    listed = ",".join(str(number) for number in sorted(set(numbers)))
    rows = reader.read(tenant, sql.SOURCES, {"tenant": tenant, "sources": listed})
    return {integer(row["source"]): _source(row) for row in rows}


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
