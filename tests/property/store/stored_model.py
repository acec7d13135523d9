"""What the rows of a request have to be, by the obvious loop over its items. It knows no SQL and no engine."""

import struct
from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

Canonical = tuple[object, ...]
"""Something whose `repr` is equal exactly when what it stands for is."""

UNSET: Final = "0"
DOUBLE: Final = "4"


class Block(Protocol):
    """What the export requests of all signals have in common."""

    @property
    def resource(self) -> Resource:
        """Return who sent the items."""
        ...

    @property
    def schema_url(self) -> str:
        """Return whose words the resource uses."""
        ...


def bits(number: float | None) -> bytes | None:
    """Return a real number's bits, so that -0 is not 0; which NaN a NaN is was never kept."""
    if number is None:
        return None
    return b"nan" if number != number else struct.pack("<d", number)  # noqa: PLR0124 - only NaN is


def sent_value(value: AnyValue) -> tuple[str, object]:
    """Return the kind and content of a value that was sent."""
    member = value.WhichOneof("value")
    if member is None:
        return UNSET, b""
    content = getattr(value, member)
    kind = str(AnyValue.DESCRIPTOR.fields_by_name[member].number)
    if member in {"array_value", "kvlist_value"}:
        return kind, content.SerializeToString()
    if member == "double_value":
        return kind, bits(content)
    if member == "bool_value":
        return kind, b"true" if content else b"false"
    return kind, content if isinstance(content, bytes) else str(content).encode()


def stored_value(kind: str, text: bytes) -> tuple[str, object]:
    """Return the kind and content of a value that was stored."""
    return kind, bits(float(text)) if kind == DOUBLE else text


def sent_attributes(attributes: Iterable[KeyValue]) -> list[Canonical]:
    """Return attributes that were sent, in their order, duplicates too."""
    return [(attribute.key.encode(), *sent_value(attribute.value)) for attribute in attributes]


def stored_attributes(pairs: Any, kinds: Any) -> list[Canonical]:  # noqa: ANN401 - columns of a row
    """Return attributes that were stored, in their order."""
    assert len(pairs) == len(kinds)
    return [(key, *stored_value(kind, text)) for (key, text), kind in zip(pairs, kinds.decode("ascii"), strict=True)]


def unordered(attributes: Sequence[Canonical]) -> list[Canonical]:
    """Return attributes of what is identified by them, whatever order they come in."""
    return sorted(attributes, key=repr)


def service_of(resource: Resource) -> bytes:
    """Return the service that a resource names first; what is no text is no name."""
    named = [attribute.value for attribute in resource.attributes if attribute.key == "service.name"]
    return named[0].string_value.encode() if named else b""


def sent_source(block: Block, scope: InstrumentationScope, scope_schema_url: str) -> Canonical:
    """Return what the source of items has to say."""
    resource = block.resource
    return (
        service_of(resource),
        unordered(sent_attributes(resource.attributes)),
        resource.dropped_attributes_count,
        [entity.SerializeToString() for entity in resource.entity_refs],
        block.schema_url.encode(),
        scope.name.encode(),
        scope.version.encode(),
        unordered(sent_attributes(scope.attributes)),
        scope.dropped_attributes_count,
        scope_schema_url.encode(),
    )


def stored_source(row: dict[str, Any]) -> Canonical:
    """Return what a row of `sources` says."""
    return (
        row["service"],
        unordered(stored_attributes(row["resource"], row["resource_kinds"])),
        row["resource_dropped_attributes"],
        row["resource_entities"],
        row["resource_schema_url"],
        row["scope_name"],
        row["scope_version"],
        unordered(stored_attributes(row["scope"], row["scope_kinds"])),
        row["scope_dropped_attributes"],
        row["scope_schema_url"],
    )


def padded(identity: bytes, length: int) -> bytes:
    """Return an id as it is stored: an empty one is all zeros, which no id is."""
    return identity.ljust(length, b"\0")


def counted(rows: Iterable[Canonical]) -> list[str]:
    """Return rows so that two lots are equal when each row is in both as often."""
    return sorted(map(repr, rows))
