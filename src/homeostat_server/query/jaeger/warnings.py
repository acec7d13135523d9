"""What Jaeger's UI should warn of in a whole trace: missing parents, ids that come twice, clocks that disagree.

The words are Jaeger's. Times are left as they were sent: that is what Jaeger does unless it is told how much it may
move them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from homeostat_server.model.jaeger_json import text_of

_HOST_KEYS: Final = ("ip", "host.id", "host.ip", "host.name")
"""Resource attributes that tell whether two spans were timed by the same clock, the first that there is."""

_UNITS_NS: Final = ((10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns"))


@dataclass(slots=True, eq=False)
class _Node:
    span: Span
    host: str
    children: "list[_Node]" = field(default_factory=list)

    @property
    def duration_ns(self) -> int:
        return self.span.end_time_unix_nano - self.span.start_time_unix_nano


def warnings_of(data: TracesData) -> dict[bytes, list[str]]:
    """Return the warnings about spans by their ids; a span without any is not in it."""
    warnings: dict[bytes, list[str]] = {}
    nodes: dict[bytes, _Node] = {}
    for span, host in _spans(data):
        if span.span_id in nodes:
            warnings.setdefault(span.span_id, []).append("duplicate span IDs; skipping clock skew adjustment")
        else:
            nodes[span.span_id] = _Node(span, host)
    for node in nodes.values():
        parent_id = node.span.parent_span_id
        if parent_id in nodes:
            nodes[parent_id].children.append(node)
        elif parent_id:
            told = f"invalid parent span IDs={parent_id.hex()}; skipping clock skew adjustment"
            warnings.setdefault(node.span.span_id, []).append(told)
    for root in [node for node in nodes.values() if node.span.parent_span_id not in nodes]:
        _warn_of_skew(root, warnings)
    return warnings


def _spans(data: TracesData) -> Iterator[tuple[Span, str]]:
    for block in data.resource_spans:
        host = _host(block.resource)
        for scoped in block.scope_spans:
            for span in scoped.spans:
                yield span, host


def _host(resource: Resource) -> str:
    values = {attribute.key: attribute.value for attribute in resource.attributes}
    found = [values[key] for key in _HOST_KEYS if key in values]
    if not found:
        return ""
    is_list = found[0].WhichOneof("value") == "array_value"
    addresses = found[0].array_value.values if is_list else found[:1]
    return text_of(addresses[0]) if addresses else ""


def _warn_of_skew(root: _Node, warnings: dict[bytes, list[str]]) -> None:
    # A stack of its own: traces are deeper than Python calls. A cycle has no root and is never walked.
    pending = [(child, root, root.host, 0) for child in root.children]
    while pending:
        node, parent, host, skew_ns = pending.pop()
        if node.host != host or not node.host:
            host, skew_ns = node.host, _skew_ns(node, parent)
        if skew_ns:
            told = f"clock skew adjustment disabled; not applying calculated delta of {duration_text(skew_ns)}"
            warnings.setdefault(node.span.span_id, []).append(told)
        pending.extend((child, node, host, skew_ns) for child in node.children)


def _skew_ns(child: _Node, parent: _Node) -> int:
    """Return by how much a child would have to be moved to lie in its parent."""
    late_ns = child.span.start_time_unix_nano - parent.span.start_time_unix_nano
    if child.duration_ns > parent.duration_ns:
        # Asynchronous, or the parent gave up: all that is known is that it cannot have begun before.
        return max(0, -late_ns)
    if late_ns >= 0 and child.span.end_time_unix_nano <= parent.span.end_time_unix_nano:
        return 0
    return (parent.duration_ns - child.duration_ns) // 2 - late_ns


def duration_text(duration_ns: int) -> str:
    """Return a duration as Go writes it: `1.35s`, `2m0.5s`, `-250µs`."""
    sign, rest_ns = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if rest_ns < 60 * 10**9:
        unit_ns, unit = next(((size, name) for size, name in _UNITS_NS if rest_ns >= size), (10**9, "s"))
        return f"{sign}{_decimal(rest_ns, unit_ns)}{unit}"
    minutes, rest_ns = divmod(rest_ns, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{f'{hours}h' if hours else ''}{minutes}m{_decimal(rest_ns, 10**9)}s"


def _decimal(number: int, unit: int) -> str:
    whole, rest = divmod(number, unit)
    digits = f"{rest:0{len(str(unit)) - 1}d}".rstrip("0") if unit > 1 else ""
    return f"{whole}.{digits}" if digits else str(whole)
