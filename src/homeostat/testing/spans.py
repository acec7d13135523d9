"""Finished spans as one thing: found by name, as trees, and compared with what a test expects.

It does not know where they come from: a capture gives them, and so does a platform.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypedDict, Unpack, overload

from homeostat.exceptions import ExpectationFailed
from homeostat.testing.recorded import Kind, RecordedSpan, Status, plain

SHOWN_MAX: Final = 60
"""Lines of spans in an error: what a screen holds."""
COMPARED_MAX: Final = 5
"""Spans of which an error says in how far each is not as expected."""


class Root(Enum):
    """Say that a span has no parent."""

    ROOT = "the root of its trace"


ROOT: Final = Root.ROOT
"""Expected as a parent: that there is none."""


class Expectation(TypedDict, total=False):
    """What a test expects of a span; what it leaves out is not compared.

    Attributes:
        attributes: some of the span's attributes. A value is compared with `==`; `...` asks only that there is one,
            and a function is asked whether the value will do.
        status: "unset", "ok" or "error".
        parent: its parent's name, the parent itself, or `ROOT` for none.
        kind: "internal", "server", "client", "producer" or "consumer".
        events: names of events, all of which it has.
        linked_to: a span that it has a link to.
        service: `service.name` of the process that made it.
    """

    attributes: Mapping[str, object]
    status: Status
    parent: str | RecordedSpan | Root
    kind: Kind
    events: Sequence[str]
    linked_to: RecordedSpan
    service: str


class Spans(Sequence[RecordedSpan]):
    """Hold finished spans, in the order in which they ended; it does not change."""

    def __init__(self, spans: Sequence[RecordedSpan] = ()) -> None:
        """Hold these."""
        self._spans = tuple(spans)
        self._by_id = {(span.trace_id, span.span_id): span for span in self._spans}

    @overload
    def __getitem__(self, index: int) -> RecordedSpan: ...
    @overload
    def __getitem__(self, index: slice) -> "Spans": ...
    def __getitem__(self, index: int | slice) -> "RecordedSpan | Spans":
        """Return one of them, or some."""
        return Spans(self._spans[index]) if isinstance(index, slice) else self._spans[index]

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._spans)

    def __eq__(self, other: object) -> bool:
        """Say whether the same spans are in the same order."""
        return isinstance(other, Spans) and self._spans == other._spans

    def __hash__(self) -> int:
        """Return what equal ones have in common."""
        return hash(tuple(self._by_id))

    def __repr__(self) -> str:
        """Return the tree: what a failed assertion shows."""
        return f"<{len(self)} spans>\n{self.tree()}"

    @property
    def names(self) -> list[str]:
        """Return their names, in the order in which they ended."""
        return [span.name for span in self]

    @property
    def trace_ids(self) -> list[str]:
        """Return their traces, each once."""
        return list(dict.fromkeys(span.trace_id for span in self))

    @property
    def roots(self) -> "Spans":
        """Return those whose parent is not among them."""
        return Spans([span for span in self if self.parent(span) is None])

    def named(self, name: str) -> "Spans":
        """Return those of this name."""
        return Spans([span for span in self if span.name == name])

    def in_trace(self, trace_id: str) -> "Spans":
        """Return those of a trace, given by its 32 hexadecimal digits."""
        return Spans([span for span in self if span.trace_id == trace_id])

    def parent(self, span: RecordedSpan) -> RecordedSpan | None:
        """Return a span's parent; None where it has none or it is not among these."""
        return None if span.parent_id is None else self._by_id.get((span.trace_id, span.parent_id))

    def children(self, span: RecordedSpan) -> "Spans":
        """Return the spans whose parent is this one."""
        return Spans([child for child in self if (child.trace_id, child.parent_id) == (span.trace_id, span.span_id)])

    def one(self, name: str) -> RecordedSpan:
        """Return the only span of this name.

        Raises:
            ExpectationFailed: there is none, or more than one.
        """
        found = self.named(name)
        if len(found) == 1:
            return found[0]
        raise ExpectationFailed(f"{self._count_of(name)} where one was expected.\n{self._shown()}")

    def assert_span(self, name: str, **expected: Unpack[Expectation]) -> RecordedSpan:
        """Return the first span of this name that is as expected.

        Raises:
            ExpectationFailed: there is none; the text says how those of this name differ, and shows all there are.
        """
        named = self.named(name)
        for span in named:
            if not self._differences(span, expected):
                return span
        raise ExpectationFailed(self._why_not(name, named, expected))

    def assert_no_span(self, name: str, **expected: Unpack[Expectation]) -> None:
        """Check that no span of this name is as described.

        Raises:
            ExpectationFailed: there is one.
        """
        for span in self.named(name):
            if not self._differences(span, expected):
                raise ExpectationFailed(
                    f"There is a span {name!r}{_wanted(expected)}, and none was expected.\n{self._shown()}"
                )

    def tree(self) -> str:
        """Return all of them as text: a line for each, below its parent."""
        return "\n".join(line for root in self._by_start(self.roots) for line in self._lines(root, "", ""))

    def _lines(self, span: RecordedSpan, head: str, below: str) -> Iterator[str]:
        yield f"{head}{_line(span)}"
        children = self._by_start(self.children(span))
        for child in children:
            last = child is children[-1]
            yield from self._lines(child, below + ("└ " if last else "├ "), below + ("  " if last else "│ "))

    @staticmethod
    def _by_start(spans: "Spans") -> list[RecordedSpan]:
        return sorted(spans, key=lambda span: span.start_ns)

    def _differences(self, span: RecordedSpan, expected: Expectation) -> list[str]:
        return [*_attribute_differences(span, expected.get("attributes", {})), *self._other(span, expected)]

    def _other(self, span: RecordedSpan, expected: Expectation) -> Iterator[str]:
        told: dict[str, object] = {"status": span.status, "kind": span.kind, "service": span.service}
        for what, value in told.items():
            if what in expected and expected[what] != value:  # type: ignore[literal-required]  # its keys are above
                yield f"its {what} is {value!r}"
        if "parent" in expected and not self._is_parent(expected["parent"], span):
            yield f"its parent is {self._parent_shown(span)}"
        missing = set(expected.get("events", ())) - {event.name for event in span.events}
        if missing:
            yield f"it has no event {', '.join(map(repr, sorted(missing)))}"
        if "linked_to" in expected:
            target = expected["linked_to"]
            if (target.trace_id, target.span_id) not in {(link.trace_id, link.span_id) for link in span.links}:
                yield f"it has no link to {target.name!r}"

    def _is_parent(self, expected: str | RecordedSpan | Root, span: RecordedSpan) -> bool:
        if isinstance(expected, Root):
            return span.parent_id is None
        if isinstance(expected, RecordedSpan):
            return (span.trace_id, span.parent_id) == (expected.trace_id, expected.span_id)
        parent = self.parent(span)
        return parent is not None and parent.name == expected

    def _parent_shown(self, span: RecordedSpan) -> str:
        parent = self.parent(span)
        if parent is not None:
            return repr(parent.name)
        return "none, it is a root" if span.parent_id is None else f"{span.parent_id}, which is not here"

    def _why_not(self, name: str, named: "Spans", expected: Expectation) -> str:
        lines = [f"No span is as expected: {name!r}{_wanted(expected)}."]
        lines += [f"  {_short(span)}: {'; '.join(self._differences(span, expected))}" for span in named[:COMPARED_MAX]]
        if len(named) > COMPARED_MAX:
            lines.append(f"  and {len(named) - COMPARED_MAX} more of this name.")
        if not named:
            near = get_close_matches(name, set(self.names), n=1)
            lines.append(f"{self._count_of(name)}{f'; there is {near[0]!r}' if near else ''}.")
        return "\n".join((*lines, self._shown()))

    def _count_of(self, name: str) -> str:
        count = len(self.named(name))
        return f"No span is named {name!r}" if count == 0 else f"{count} spans are named {name!r}"

    def _shown(self) -> str:
        if not self:
            return "There are no spans."
        lines = self.tree().splitlines()
        more = [f"… and {len(lines) - SHOWN_MAX} more"] if len(lines) > SHOWN_MAX else []
        head = "There is 1 span:" if len(self) == 1 else f"There are {len(self)} spans:"
        return "\n".join((head, *(f"  {line}" for line in (*lines[:SHOWN_MAX], *more))))


def _attribute_differences(span: RecordedSpan, expected: Mapping[str, object]) -> Iterator[str]:
    for key, value in expected.items():
        if key not in span.attributes:
            near = get_close_matches(key, span.attributes, n=1)
            yield f"it has no attribute {key!r}" + (f" (there is {near[0]!r})" if near else "")
        elif not _suits(span.attributes[key], value):
            yield f"its {key} is {span.attributes[key]!r}"


def _suits(value: object, expected: object) -> bool:
    if expected is ...:
        return True
    if callable(expected):
        return bool(expected(value))
    # A test that expects True does not mean 1.
    return bool(plain(expected) == value) and isinstance(value, bool) == isinstance(expected, bool)


def _wanted(expected: Expectation) -> str:
    shown: list[str] = []
    for what, value in expected.items():
        if isinstance(value, RecordedSpan):
            shown.append(f"{what} {_short(value)}")
        elif isinstance(value, Root):
            shown.append(f"{what} none")
        elif isinstance(value, Mapping):
            pairs = (f"{key}={'…' if member is ... else repr(member)}" for key, member in value.items())
            shown.append(f"{what} {', '.join(pairs)}")
        else:
            shown.append(f"{what} {value!r}")
    return f" with {'; '.join(shown)}" if shown else ""


def _short(span: RecordedSpan) -> str:
    return f"{span.name} ({span.span_id})"


def _line(span: RecordedSpan) -> str:
    failed = f" {span.status}" if span.status != "unset" else ""
    said = f" ({span.status_message})" if span.status_message else ""
    attributes = " ".join(f"{key}={value!r}" for key, value in span.attributes.items())
    return f"{span.name} [{span.kind}{failed}{said} {span.duration_s * 1000:.1f} ms] {attributes}".rstrip()
