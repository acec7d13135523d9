"""Spans of some traces as a pipeline wants them: which filters each fulfils, its numbers, its values, its place.

It knows which columns a pipeline needs, not what it makes of them.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from homeostat_server.model.tenant import Tenant
from homeostat_server.query.binding import Binder
from homeostat_server.query.sources import read_sources
from homeostat_server.query.traceql import sql
from homeostat_server.query.traceql.checking import is_many
from homeostat_server.query.traceql.columns import Column, Sources, column
from homeostat_server.query.traceql.compiling import ALWAYS, Compiler, Condition
from homeostat_server.query.traceql.names import Intrinsic, Type
from homeostat_server.query.traceql.planning import any_filter, narrow
from homeostat_server.query.traceql.printing import show_field
from homeostat_server.query.traceql.results import MatchedSpan, NamedValue, TypedValue
from homeostat_server.query.traceql.spansets import Reals, Rows
from homeostat_server.query.traceql.structure import Bits, Numbers, Tree, tree_of
from homeostat_server.query.traceql.tree import (
    Attribute,
    Combination,
    Expression,
    Field,
    GroupBy,
    IntrinsicField,
    Pipeline,
    ScalarFilter,
    Select,
    Spanset,
    Stage,
    Structure,
    aggregates,
    expressions,
    filters,
)
from homeostat_server.store.ports import Parameter, TelemetryReader

_TOLD_ANYWAY = frozenset({Intrinsic.NAME, Intrinsic.DURATION, Intrinsic.NESTED_SET_PARENT})


def stages(node: Stage | Spanset) -> Iterator[Stage | Spanset]:
    """Yield a stage and all below it."""
    yield node
    if isinstance(node, Combination | Structure):
        yield from stages(node.left)
        yield from stages(node.right)
    elif isinstance(node, Pipeline):
        for stage in node.stages:
            yield from stages(stage)


def shown_fields(pipeline: Pipeline) -> tuple[Field, ...]:
    """Return what is told of each span: what filters ask about, then what is selected."""
    asked = [
        part
        for filter_ in filters(pipeline)
        if filter_.condition is not None
        for part in expressions(filter_.condition)
        if isinstance(part, Attribute | IntrinsicField) and not is_many(part)
    ]
    plain = [part for part in asked if not (isinstance(part, IntrinsicField) and part.intrinsic in _TOLD_ANYWAY)]
    selected = [part for stage in stages(pipeline) if isinstance(stage, Select) for part in stage.fields]
    return tuple(dict.fromkeys((*plain, *selected)))


def asking_for(condition: Condition) -> sql.Asked:
    """Return a condition as statements take it."""
    return sql.Asked(condition.sql, condition.prune)


class RowsReader:
    """Read the spans that a pipeline is evaluated over."""

    def __init__(self, pipeline: Pipeline, binder: Binder) -> None:
        """Say what a pipeline needs of each span."""
        self._binder = binder
        compiler = Compiler(binder)
        narrowing = narrow(pipeline, compiler)
        all_stages = list(stages(pipeline))
        self.filters = tuple(dict.fromkeys(filters(pipeline)))
        self.numbers = tuple(dict.fromkeys(_operands(all_stages)))
        self.groups = tuple(dict.fromkeys(stage.expression for stage in all_stages if isinstance(stage, GroupBy)))
        self.is_plain = not self.numbers and not self.groups and narrowing.is_of_spans
        self.shown = [column(part, f"shown_{at}", compiler) for at, part in enumerate(shown_fields(pipeline))]
        self.grouped = [column(part, f"group_{at}", compiler) for at, part in enumerate(self.groups)]
        self._columns = {name: text for item in (*self.shown, *self.grouped) for name, text in item.selected().items()}
        self._columns |= {f"number_{at}": compiler.number(part) for at, part in enumerate(self.numbers)}
        if not self.is_plain:
            self._columns |= {
                f"filter_{at}": "1" if part.condition is None else compiler.condition(part.condition).sql
                for at, part in enumerate(self.filters)
            }
        is_structured = any(isinstance(stage, Structure) for stage in all_stages)
        among = narrowing.rows if narrowing.is_of_spans else None
        # A tree takes all spans, also those that no filter is about.
        self._asked = asking_for(ALWAYS if is_structured else among or any_filter(pipeline, compiler))
        self._joins = compiler.joins

    def statement(self, *, per_trace: bool) -> str:
        """Return the question for the spans, with `per_trace` for the first ones of each trace."""
        return sql.rows(self._asked, columns=self._columns, joins=self._joins, per_trace=per_trace)

    def found_statement(self, spans_max: int) -> str:
        """Return the question for traces with their first spans that are in the answer."""
        return sql.found(self._asked, columns=list(self._columns.values()), joins=self._joins, spans_max=spans_max)

    def unpacked(self, reader: TelemetryReader, tenant: Tenant, found: pa.Table) -> "StoredRows":
        """Return the spans that came with traces."""
        packed = found["spans"].combine_chunks()
        spans = packed.flatten().flatten()
        of_trace = pc.list_parent_indices(packed)
        columns = dict(zip((*sql.SPAN_VALUES, *self._columns), spans, strict=True))
        table = pa.table(
            {"trace_id": found["trace_id"].take(of_trace), "matched": found["matched"].take(of_trace), **columns}
        )
        return self._stored(reader, tenant, table)

    def read(
        self, reader: TelemetryReader, tenant: Tenant, parameters: dict[str, Parameter], *, per_trace: bool
    ) -> "StoredRows":
        """Return the spans that parameters say, ordered by their start."""
        statement = self.statement(per_trace=per_trace)
        return self._stored(
            reader, tenant, reader.read_table(tenant, statement, {**parameters, **self._binder.parameters})
        )

    def _stored(self, reader: TelemetryReader, tenant: Tenant, table: pa.Table) -> "StoredRows":
        needs_sources = any(item.from_source is not None for item in (*self.shown, *self.grouped))
        numbers = set(table["span_source"].unique().to_pylist()) if needs_sources else set()
        return StoredRows(self, table, read_sources(reader, tenant=tenant, numbers=numbers))


def _operands(all_stages: Sequence[Stage | Spanset]) -> Iterator[Expression]:
    for stage in all_stages:
        if isinstance(stage, ScalarFilter):
            for side in (stage.left, stage.right):
                yield from (item.operand for item in aggregates(side) if item.operand is not None)


@dataclass(frozen=True)
class StoredRows:
    """Hold spans that were read."""

    asked: RowsReader
    table: pa.Table
    sources: Sources

    @cached_property
    def trace_ids(self) -> list[str]:
        """Return the ids of the traces, by their numbers."""
        return [trace_id.hex() for trace_id in self._traces[1]]

    @cached_property
    def _traces(self) -> tuple[Numbers, list[bytes]]:
        encoded = self.table["trace_id"].combine_chunks().dictionary_encode()
        return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64), encoded.dictionary.to_pylist()

    def rows(self) -> Rows:
        """Return them as a pipeline is evaluated over."""
        return Rows(
            trace=self._traces[0],
            chosen={part: self._bits(f"filter_{at}") for at, part in enumerate(self.asked.filters)},
            numbers={part: self._reals(f"number_{at}") for at, part in enumerate(self.asked.numbers)},
            values={
                part: _coded(item.read(self.table, self.sources))
                for part, item in zip(self.asked.groups, self.asked.grouped, strict=True)
            },
            tree=lambda: self._tree,
        )

    @cached_property
    def _tree(self) -> Tree:
        return tree_of(self._traces[0], self._ids("span_id"), self._ids("parent_span_id"))

    def by_trace(self) -> dict[str, list[int]]:
        """Return the rows of each trace."""
        found: dict[str, list[int]] = {}
        for row, number in enumerate(self._traces[0].tolist()):
            found.setdefault(self.trace_ids[number], []).append(row)
        return found

    def matched(self, rows: Sequence[int]) -> int:
        """Return how many spans of a trace there are, of which these rows are the first."""
        return int(self.table["matched"][rows[0]].as_py())

    def ids(self, rows: Numbers) -> list[str]:
        """Return the ids of spans, that of the trace first, as one hexadecimal text each."""
        chosen = self.table.select(["trace_id", "span_id"]).take(pa.array(rows))
        pairs = zip(chosen["trace_id"].to_pylist(), chosen["span_id"].to_pylist(), strict=True)
        return [(trace_id + span_id).hex() for trace_id, span_id in pairs]

    def span(self, row: int) -> MatchedSpan:
        """Return one span."""
        table = self.table
        named = [NamedValue(show_field(_field(item)), self._shown[at][row]) for at, item in enumerate(self.asked.shown)]
        return MatchedSpan(
            span_id=table["span_id"][row].as_py().hex(),
            name=table["span_name"][row].as_py().decode("utf-8", "replace"),
            start_ns=int(table["start_ns"][row].as_py()),
            duration_ns=int(table["duration_ns"][row].as_py()),
            attributes=tuple(value for value in named if value.value.type is not Type.NIL),
        )

    @cached_property
    def _shown(self) -> list[list[TypedValue]]:
        return [item.read(self.table, self.sources) for item in self.asked.shown]

    def _bits(self, name: str) -> Bits:
        bits: Bits = self.table[name].to_numpy().astype(np.bool_)
        return bits

    def _reals(self, name: str) -> Reals:
        reals: Reals = self.table[name].to_numpy().astype(np.float64)
        return reals

    def _ids(self, name: str) -> npt.NDArray[np.uint64]:
        packed = b"".join(self.table[name].to_pylist())
        return np.frombuffer(packed, dtype=">u8").astype(np.uint64)


def _field(item: Column) -> Field:
    assert isinstance(item.expression, Attribute | IntrinsicField)
    return item.expression


def _coded(values: Sequence[TypedValue]) -> tuple[Numbers, list[TypedValue]]:
    """Return the number of each value, and the values by their numbers."""
    numbers: dict[TypedValue, int] = {}
    codes = np.fromiter(
        (numbers.setdefault(value, len(numbers)) for value in values), dtype=np.int64, count=len(values)
    )
    return codes, list(numbers)
