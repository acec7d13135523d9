"""Conditions on attributes as a person writes them into a query string: `key=value`, `key>=500`, `key~regex`, `!key`.

A key ends at the first of `= ! < > ~`; one that has such a character is written in double quotes, in which a backslash
stands before a quote or another backslash. What is behind the operator is the value, to the last character.
"""

import re
from typing import Final

from homeostat_server.exceptions import InvalidRequest
from homeostat_server.query.attributes.conditions import AttributeCondition, AttributeScope, Operator

LENGTH_MAX: Final = 10_000

_CONDITION: Final = re.compile(
    r"""(?P<absent>!)?                                      # only in front of a key that stands alone
        (?:"(?P<quoted>(?:[^"\\]|\\["\\])*)" | (?P<plain>[^=!<>~"]+))
        (?:(?P<operator><=|>=|!=|!~|=|~|<|>)(?P<value>.*))?""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPED: Final = re.compile(r'\\(["\\])')


def parse_condition(text: str, *, scope: AttributeScope) -> AttributeCondition:
    """Return the condition on an attribute of a scope that a text says.

    Raises:
        InvalidRequest: it says none.
    """
    match = _CONDITION.fullmatch(text) if len(text) <= LENGTH_MAX else None
    if match is None or (match["absent"] and match["operator"]):
        raise InvalidRequest(
            "read a condition on an attribute",
            value=text,
            hint="Write key=value, key!=value, key<1, key<=1, key>1, key>=1, key~regex, key!~regex, key or !key.",
        )
    key = match["plain"] if match["quoted"] is None else _ESCAPED.sub(r"\1", match["quoted"])
    if match["operator"] is None:
        operator = Operator.ABSENT if match["absent"] else Operator.EXISTS
        return AttributeCondition(scope=scope, key=key, operator=operator)
    return AttributeCondition(scope=scope, key=key, operator=Operator(match["operator"]), value=match["value"])
