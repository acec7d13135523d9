from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.sources import REMEMBERED_BYTES_MAX, Source, SourceMemory, read_sources
from homeostat_server.store.testing import MemoryStore
from tests import otlp
from tests.telemetry_store import FilledStore

ONE, TWO = Tenant("one"), Tenant("two")


def source(service: str, *, size_bytes: int = 0) -> Source:
    """Return a source of a service, with an attribute of a size."""
    resource = Resource()
    resource.attributes.add(key="text").value.string_value = "x" * size_bytes
    return Source(
        service=service,
        resource=resource,
        resource_schema_url="",
        scope=InstrumentationScope(),
        scope_schema_url="",
    )


def test_what_was_read_is_not_read_again(filled: FilledStore) -> None:
    """A number stands for the same source for ever."""
    tenant = filled.new_tenant()
    filled.insert(tenant, otlp.traces(otlp.span()))
    [row] = filled.store.read(tenant, "SELECT source FROM telemetry.spans", {})
    number = row["source"]
    assert isinstance(number, int)
    memory, nothing = SourceMemory(), MemoryStore()
    first = read_sources(filled.store, tenant=tenant, numbers=[number], known=memory)
    assert read_sources(nothing, tenant=tenant, numbers=[number], known=memory) == first
    assert not nothing.questions
    assert read_sources(nothing, tenant=TWO, numbers=[number], known=memory) == {}
    assert len(nothing.questions) == 1


def test_only_what_is_missing_is_asked_for() -> None:
    """The rest is known; without a memory all is asked for, and no number at all asks nothing."""
    memory, store = SourceMemory(), MemoryStore()
    memory.remember(ONE, {1: source("a"), 2: source("b")})
    found = read_sources(store, tenant=ONE, numbers=[1, 3, 2, 3], known=memory)
    assert sorted(found) == [1, 2]
    read_sources(store, tenant=ONE, numbers=[2, 1])
    assert read_sources(store, tenant=ONE, numbers=[]) == {}
    assert [question.parameters["sources"] for question in store.questions] == ["3", "1,2"]


def test_what_was_not_used_for_longest_makes_room() -> None:
    """So many are remembered, of all tenants together; what is large is not."""
    memory = SourceMemory(sources_max=2)
    memory.remember(ONE, {1: source("a"), 2: source("b")})
    assert list(memory.find(ONE, [1])) == [1]
    memory.remember(TWO, {1: source("c"), 9: source("large", size_bytes=REMEMBERED_BYTES_MAX)})
    assert memory.find(ONE, [1, 2])[1].service == "a"
    assert list(memory.find(ONE, [1, 2])) == [1]
    assert {number: found.service for number, found in memory.find(TWO, [1, 9]).items()} == {1: "c"}
