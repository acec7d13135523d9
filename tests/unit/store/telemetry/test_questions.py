"""What the engine offers is compared with a reviewed list, so that a new release cannot add a way out unseen.

`python -m tests.unit.store.telemetry.test_questions` writes the list again; look at each new name first, and refuse in
`questions.py` what reaches beyond its arguments.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.store.telemetry.embedded import WRITER_SETTINGS
from homeostat_server.store.telemetry.questions import (
    PARSE,
    REFUSED_FUNCTION_PREFIXES,
    REFUSED_FUNCTIONS,
    REMEMBERED_MAX,
    TABLE_FUNCTIONS,
    Examiner,
    check_tree,
)
from homeostat_server.store.telemetry.session import Session

GOLDEN = Path(__file__).parents[3] / "golden" / "store" / "functions.txt"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Return a session of an empty engine."""
    session = open_engine(tmp_path_factory.mktemp("engine"))
    yield session
    session.close()


def open_engine(folder: Path) -> Session:
    """Open an engine without any configuration of ours."""
    config = folder / "config.xml"
    config.write_text("<clickhouse></clickhouse>", encoding="utf-8")
    settings = {name: value for name, value in WRITER_SETTINGS.items() if name != "log_comment"}
    return Session(folder / "data", config, settings)


def names(engine: Session, sql: str) -> list[str]:
    """Return the first column of an answer as texts."""
    return [str(next(iter(row.values()))) for row in engine.rows(sql, {})]


def offered(engine: Session) -> list[str]:
    """Return what the engine offers beside aggregate functions, which see nothing but their arguments."""
    scalars = names(engine, "SELECT name FROM system.functions WHERE NOT is_aggregate ORDER BY name")
    tables = names(engine, "SELECT name FROM system.table_functions ORDER BY name")
    return [*(f"{name}()" for name in scalars), *(f"FROM {name}()" for name in tables)]


def test_every_function_of_the_engine_was_reviewed(engine: Session) -> None:
    """One that is new was looked at before it got into the list."""
    assert offered(engine) == GOLDEN.read_text(encoding="utf-8").splitlines()


def is_refused(name: str) -> bool:
    """Say whether a scalar function is refused."""
    return name.lower() in REFUSED_FUNCTIONS or name.lower().startswith(REFUSED_FUNCTION_PREFIXES)


WATCHED = ("AI", "Dictionary", "Embedded Dictionary", "Internal", "Introspection", "Machine Learning")
HARMLESS = {
    "_CAST",
    "assignCentroid",
    "caseWithExpression",
    "isMergeTreePartCoveredBy",
    "mergeTreePartInfo",
    "nested",
    "validateNestedArraySizes",
}
"""Of the watched kinds, those that compute with their arguments and nothing else."""


def test_functions_of_the_kinds_that_reach_out_are_refused(engine: Session) -> None:
    """All of them but those that are named here."""
    listed = ", ".join(f"'{kind}'" for kind in WATCHED)
    watched = names(
        engine,
        f"SELECT name FROM system.functions WHERE categories IN ({listed}) AND NOT is_aggregate AND alias_to = ''",
    )
    assert len(watched) > 80
    assert {name for name in watched if not is_refused(name)} == HARMLESS


def test_another_name_of_what_is_refused_is_refused(engine: Session) -> None:
    """Aliases are functions too."""
    aliases = engine.rows("SELECT name, alias_to FROM system.functions WHERE alias_to != ''", {})
    assert [row for row in aliases if is_refused(str(row["alias_to"])) and not is_refused(str(row["name"]))] == []


def test_what_is_refused_by_name_exists(engine: Session) -> None:
    """A list with names that mean nothing looks safer than it is."""
    known = {name.lower() for name in names(engine, "SELECT name FROM system.functions")}
    assert REFUSED_FUNCTIONS - known == set()
    for prefix in REFUSED_FUNCTION_PREFIXES:
        assert any(name.startswith(prefix) for name in known)
    tables = {name.lower() for name in names(engine, "SELECT name FROM system.table_functions")}
    assert TABLE_FUNCTIONS - tables == set()


@pytest.fixture
def parse(engine: Session) -> "Parser":
    """Return the engine's parser, counting."""
    return Parser(engine)


class Parser:
    """Parse and count."""

    def __init__(self, engine: Session) -> None:
        """Use an engine."""
        self._engine = engine
        self.calls = 0

    def __call__(self, sql: str) -> bytes:
        """Return the tree of a statement."""
        self.calls += 1
        tree = self._engine.rows(PARSE, {"question": sql})[0]["tree"]
        assert isinstance(tree, str | bytes)
        return tree.encode() if isinstance(tree, str) else tree


ALLOWED = [
    "SELECT 1",
    "SELECT * EXCEPT (a) REPLACE (1 AS b) APPLY (toString), COLUMNS('x'), t.* FROM telemetry.spans AS t",
    "SELECT arrayMap((k, v) -> concat(k, v), mapKeys(attributes), mapValues(attributes)) FROM telemetry.spans",
    "WITH 5 AS five, slow AS (SELECT name FROM telemetry.spans) SELECT five, name FROM slow",
    "SELECT name FROM telemetry.spans WHERE span_id IN (SELECT span_id FROM telemetry.logs) AND kind IN (1, 2)",
    "SELECT name FROM telemetry.spans WHERE name IN telemetry.logs",
    "WITH names AS (SELECT 'a') SELECT 1 WHERE 'a' IN names",
    "SELECT 1 IN (1), 1 IN tuple(1), 1 IN [1], (1, 2) IN ((1, 2)), 1 NOT IN array(2), 1 GLOBAL IN numbers(3)",
    "SELECT quantiles(0.5, 0.9)(duration_ns), sum(kind) OVER w FROM telemetry.spans WINDOW w AS (PARTITION BY name)",
    "SELECT name FROM telemetry.spans AS a ASOF LEFT JOIN telemetry.logs AS b USING (trace_id, ts)",
    "SELECT number FROM numbers(3) ORDER BY number WITH FILL FROM 1 TO 5 INTERPOLATE (number AS number + 1)",
    "SELECT events.name, `events.ts`, s.`events.name` FROM telemetry.spans AS s ARRAY JOIN events.name AS e",
    "SELECT {a:String}, {b:Array(UInt64)} FROM values('x String', 'a') LIMIT {n:UInt64} BY x",
    "(SELECT 1 UNION ALL SELECT 2) EXCEPT SELECT 3 INTERSECT SELECT 4",
    "SELECT 'SELECT file(''/etc/passwd'') FROM system.parts; DROP TABLE x' -- system.parts\n",
]


@pytest.mark.parametrize("sql", ALLOWED)
def test_a_select_over_the_tables_is_allowed(parse: Parser, sql: str) -> None:
    """Whatever grammar it uses."""
    Examiner().examine(sql, parse=parse)


REFUSED = {
    "SELECT file('/etc/passwd')": "file",
    "SELECT 1 FROM system.parts": r"system\.parts",
    "SELECT 1 FROM spans": "spans",
    "SELECT 1 IN (SELECT 1 SETTINGS a = 1)": "SETTINGS",
    "SELECT 1 FORMAT CSV": "FORMAT",
    "SELECT 1 IN file('x')": "file",
    "SELECT 1 IN system.parts": r"system\.parts",
    "SELECT 1 IN format('CSV', '1')": "format",
    "SYSTEM STOP MERGES": "no SELECT",
    "SELECT _part FROM telemetry.spans": "_part",
    "SELECT s._part_offset FROM telemetry.spans AS s": "_part_offset",
    "SELECT * FROM url('http://x', 'CSV')": "url",
    "SELECT {x:Identifier} FROM telemetry.spans": "place of a name",
    "SELECT '\0'": "NUL",
}


@pytest.mark.parametrize("sql", sorted(REFUSED))
def test_a_refusal_names_what_is_refused(parse: Parser, sql: str) -> None:
    """So that who asked in good faith can mend it."""
    with pytest.raises(InvalidRequest, match=REFUSED[sql]):
        Examiner().examine(sql, parse=parse)


def test_what_was_approved_is_not_parsed_again(parse: Parser) -> None:
    """The same text has the same tree; what was refused is looked at each time."""
    examiner = Examiner()
    for _ in range(3):
        examiner.examine("SELECT 1", parse=parse)
        with pytest.raises(InvalidRequest):
            examiner.examine("SELECT sleep(1)", parse=parse)
    assert parse.calls == 1 + 3


def test_the_memory_is_bounded(parse: Parser) -> None:
    """The approval that was not used for the longest time is forgotten."""
    examiner = Examiner()
    for number in range(REMEMBERED_MAX):
        examiner.examine(f"SELECT {number}", parse=parse)
    examiner.examine("SELECT 0", parse=parse)
    examiner.examine("SELECT 'one more'", parse=parse)
    assert parse.calls == REMEMBERED_MAX + 1
    examiner.examine("SELECT 0", parse=parse)
    assert parse.calls == REMEMBERED_MAX + 1
    examiner.examine("SELECT 1", parse=parse)
    assert parse.calls == REMEMBERED_MAX + 2


def test_a_tree_that_cannot_be_read_is_refused() -> None:
    """A parser's answer that is too deep for us is no approval."""
    with pytest.raises(InvalidRequest, match="too deeply"):
        Examiner().examine("SELECT 1", parse=lambda _: b"[" * 5_000)


def test_syntax_that_nobody_thought_of_is_refused() -> None:
    """A release may add to what a SELECT is made of."""
    with pytest.raises(InvalidRequest, match="NewSyntax"):
        check_tree({"type": "SelectWithUnionQuery", "new": [{"type": "NewSyntax"}]})


if __name__ == "__main__":
    from tempfile import TemporaryDirectory

    with TemporaryDirectory() as scratch:
        empty = open_engine(Path(scratch))
        GOLDEN.write_text("\n".join(offered(empty)) + "\n", encoding="utf-8")
        empty.close()
