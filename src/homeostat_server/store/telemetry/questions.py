"""Which questions a reader may ask: one SELECT over the catalogue's tables. It runs no question and knows no tenant.

The engine's row filter keeps tenants apart, `readonly` keeps a reader from writing and its role from other tables. This
is the line for what those three let pass (docs/adr/0004-tenant-isolation.md has the list): files and settings of the
host by scalar functions, INTO OUTFILE, EXPLAIN and index functions that tell of other tenants' rows, SYSTEM, KILL.

A question is judged by the tree that the engine's own parser makes of it, never by its text. What the lists below do
not know is refused.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, Final

import orjson

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.store.telemetry.catalogue import CATALOGUE
from homeostat_server.store.telemetry.tables import DATABASE

Node = dict[str, Any]
"""A JSON object of the tree; objects that are syntax have a `type`."""

PARSE: Final = "SELECT parseQueryToJSON({question:String}) AS tree"
"""It parses one statement and runs nothing; several statements, and data behind an INSERT, are errors."""

REMEMBERED_MAX: Final = 512
"""Texts of approved questions; ours are some dozens, values are bound and not part of the text."""

READABLE_TABLES: Final = frozenset((DATABASE, table.name) for table in CATALOGUE)
TABLE_FUNCTIONS: Final = frozenset({"generate_series", "generateseries", "numbers", "values", "view"})
"""They make rows of nothing but their arguments."""

SELECT: Final = "SelectWithUnionQuery"
OUTPUT_CLAUSES: Final = ("out_file", "format_ast", "settings_ast", "compression", "compression_level")
NODES: Final = frozenset(
    {
        "ArrayJoin",
        "Asterisk",
        "ColumnsApplyTransformer",
        "ColumnsExceptTransformer",
        "ColumnsListMatcher",
        "ColumnsRegexpMatcher",
        "ColumnsReplaceTransformer",
        "ColumnsReplaceTransformerReplacement",
        "ColumnsTransformerList",
        "ExpressionList",
        "Function",
        "Identifier",
        "InterpolateElement",
        "Literal",
        "OrderByElement",
        "QualifiedAsterisk",
        "QualifiedColumnsListMatcher",
        "QualifiedColumnsRegexpMatcher",
        "QueryParameter",
        "SelectIntersectExceptQuery",
        "SelectQuery",
        SELECT,
        "Subquery",
        "TableExpression",
        "TableIdentifier",
        "TableJoin",
        "TablesInSelectQuery",
        "TablesInSelectQueryElement",
        "WindowDefinition",
        "WindowListElement",
        "WithElement",
    }
)
"""All that a SELECT without SETTINGS is made of."""

REFUSED_FUNCTIONS: Final = frozenset(
    {
        # the host: files, disks, names, settings, certificates
        "authenticateduser",
        "authuser",
        "buildid",
        "connection_id",
        "connectionid",
        "currenthandler",
        "currentrequesturl",
        "displayname",
        "file",
        "filesystemavailable",
        "filesystemcapacity",
        "filesystemunreserved",
        "fqdn",
        "fullhostname",
        "getclienthttpheader",
        "getmacro",
        "getmaxtablenamelengthfordatabase",
        "getmergetreesetting",
        "getoskernelversion",
        "getserverport",
        "getserversetting",
        "getsetting",
        "getsettingordefault",
        "globalvariable",
        "hostname",
        "runningconcurrency",
        "serveruuid",
        "showcertificate",
        "tcpport",
        "uptime",
        # other tables, by name in a text
        "hascolumnintable",
        "joinget",
        "joingetornull",
        "pg_table_is_visible",
        "pgtableisvisible",
        # which granules other tenants' rows lie in
        "indexhint",
        # holding a session, writing to the log, reading the process
        "addresstoline",
        "addresstolinewithinlines",
        "addresstosymbol",
        "demangle",
        "logtrace",
        "sleep",
        "sleepeachrow",
        "tid",
        # a coordination service, models and dictionaries: there are none here
        "evalmlmethod",
        "generateserialid",
        "naivebayesclassifier",
        "naivebayesclassifierwithallprobs",
        "naivebayesclassifierwithprob",
        "transactionid",
        "transactionlatestsnapshot",
        "transactionoldestsnapshot",
        "zookeepersessionuptime",
    }
)
"""In lower case, because the engine knows some in any."""

REFUSED_FUNCTION_PREFIXES: Final = ("__", "ai", "dict", "region")
"""Internal ones, calls of language models over the network, dictionaries, the dictionaries of regions."""

REFUSED_COLUMNS: Final = re.compile(r"_(part|partition|block|row_exists|disk|sample_factor|distance|table|database)\w*")
"""Virtual columns: an offset in a part counts the rows of other tenants before it."""

_IN: Final = re.compile(r"(global)?(not)?(null)?in(ignoreset)?|notnullin\w*|globalnotnullin\w*", re.IGNORECASE)
_PLAIN_NAME: Final = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Refused(InvalidRequest):
    """Refuse a question that a reader may not ask."""

    def __init__(self, reason: str) -> None:
        """Say what in the question is refused."""
        super().__init__("ask the telemetry store", value=reason, hint="Ask one SELECT over the telemetry tables.")


class Examiner:
    """Approve questions, remembering those that it approved. Thread-safe."""

    def __init__(self) -> None:
        """Begin knowing none."""
        self._approved: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()

    def examine(self, sql: str, *, parse: Callable[[str], bytes]) -> None:
        """Return when a reader may ask this.

        Args:
            sql: the question; what its parameters stand for cannot change the tree.
            parse: gives the tree of a statement as JSON (`PARSE`).

        Raises:
            InvalidRequest: it is not one SELECT, or reaches for something that is not a tenant's own.
        """
        with self._lock:
            if sql in self._approved:
                self._approved.move_to_end(sql)
                return
        if "\0" in sql:
            raise Refused("a NUL character")
        check_tree(_decode(parse(sql)))
        with self._lock:
            self._approved[sql] = None
            if len(self._approved) > REMEMBERED_MAX:
                self._approved.popitem(last=False)


def _decode(tree: bytes) -> Node:
    try:
        decoded: Node = orjson.loads(tree)
    except orjson.JSONDecodeError as error:
        raise Refused("it is nested too deeply") from error
    return decoded


def check_tree(root: Node) -> None:
    """Return when the tree is a question that a reader may ask.

    Raises:
        InvalidRequest: it is not.
    """
    if root.get("type") != SELECT:
        raise Refused(f"a statement that is no SELECT: {root.get('type')}")
    local = frozenset(node["name"] for node in _nodes(root) if node["type"] == "WithElement")
    for node in _nodes(root):
        _check_node(node, local)


def _nodes(root: Node) -> Iterator[Node]:
    """Yield every object with a type, without recursion: the tree's depth is the asker's."""
    waiting: list[object] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, list):
            waiting.extend(item)
        elif isinstance(item, dict):
            waiting.extend(item.values())
            if "type" in item:
                yield item


def _check_node(node: Node, local: frozenset[str]) -> None:
    kind = node["type"]
    if kind not in NODES:
        raise Refused("SETTINGS" if kind == "SetQuery" else f"{kind} in a question")
    if kind == "QueryParameter" and node.get("param_type") == "Identifier":
        raise Refused("a parameter in the place of a name")
    if kind == SELECT and any(clause in node for clause in OUTPUT_CLAUSES):
        raise Refused("INTO OUTFILE, FORMAT or SETTINGS")
    if kind == "TableExpression":
        _check_table_expression(node, local)
    if kind == "Function":
        _check_function(node, local)
    if kind == "Identifier":
        _check_identifier(node)


def _check_table_expression(node: Node, local: frozenset[str]) -> None:
    if "database_and_table_name" in node:
        _check_table(node["database_and_table_name"], local)
    function = node.get("table_function")
    if function is not None and function["name"].lower() not in TABLE_FUNCTIONS:
        raise Refused(f"the table function {function['name']}")


def _check_table(table: Node, local: frozenset[str]) -> None:
    parts = _parts(table)
    if len(parts) == 1 and parts[0] in local and _PLAIN_NAME.fullmatch(parts[0]):
        return
    if parts not in READABLE_TABLES:
        raise Refused(f"the table {'.'.join(parts)}")


def _parts(named: Node) -> tuple[str, ...]:
    return tuple(named.get("name_parts") or [named["name"]])


def _check_function(node: Node, local: frozenset[str]) -> None:
    name = node["name"].lower()
    if name in REFUSED_FUNCTIONS or name.startswith(REFUSED_FUNCTION_PREFIXES):
        raise Refused(f"the function {node['name']}")
    if _IN.fullmatch(name):
        for right in node["arguments"]["children"][1:]:
            _check_set(right, local)


def _check_set(right: Node, local: frozenset[str]) -> None:
    """Check what stands behind IN: a name there may be a table's, a function a table function."""
    if right["type"] == "Identifier" and len(_parts(right)) > 1:
        _check_table(right, local)
    if right["type"] == "Function" and right["name"].lower() not in {"array", "tuple", *TABLE_FUNCTIONS}:
        raise Refused(f"IN over {right['name']}: write has(…) for an array")


def _check_identifier(node: Node) -> None:
    parts = _parts(node)
    if any(REFUSED_COLUMNS.fullmatch(part) for part in parts):
        raise Refused(f"the column {'.'.join(parts)}")
