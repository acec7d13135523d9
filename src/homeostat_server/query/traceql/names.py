"""The words of TraceQL: intrinsics, scopes, values and functions. Each is told once, here."""

from enum import StrEnum, unique
from typing import Final


@unique
class Type(StrEnum):
    """Name the type of a value; ATTRIBUTE is one that each span decides for itself."""

    ATTRIBUTE = "attribute"
    NIL = "nil"
    BOOLEAN = "boolean"
    STRING = "string"
    INTEGER = "integer"
    REAL = "real"
    DURATION = "duration"
    STATUS = "status"
    KIND = "kind"


NUMERIC: Final = frozenset({Type.INTEGER, Type.REAL, Type.DURATION})


@unique
class Scope(StrEnum):
    """Name where an attribute lies; ANY is the span's, else the resource's."""

    ANY = ""
    SPAN = "span"
    RESOURCE = "resource"
    EVENT = "event"
    LINK = "link"
    INSTRUMENTATION = "instrumentation"


MANY: Final = frozenset({Scope.EVENT, Scope.LINK})
"""Scopes of which a span has several: a comparison holds when it holds for one of them."""


@unique
class Intrinsic(StrEnum):
    """Name what every span, or its trace, has; the value is how it is written back."""

    NAME = "name"
    STATUS = "status"
    STATUS_MESSAGE = "statusMessage"
    DURATION = "duration"
    KIND = "kind"
    CHILD_COUNT = "span:childCount"
    SPAN_ID = "span:id"
    PARENT_ID = "span:parentID"
    TRACE_ID = "trace:id"
    ROOT_NAME = "rootName"
    ROOT_SERVICE = "rootServiceName"
    TRACE_DURATION = "traceDuration"
    EVENT_NAME = "event:name"
    EVENT_TIME_SINCE_START = "event:timeSinceStart"
    LINK_TRACE_ID = "link:traceID"
    LINK_SPAN_ID = "link:spanID"
    SCOPE_NAME = "instrumentation:name"
    SCOPE_VERSION = "instrumentation:version"
    NESTED_SET_PARENT = "nestedSetParent"


INTRINSIC_TYPES: Final = {
    Intrinsic.NAME: Type.STRING,
    Intrinsic.STATUS: Type.STATUS,
    Intrinsic.STATUS_MESSAGE: Type.STRING,
    Intrinsic.DURATION: Type.DURATION,
    Intrinsic.KIND: Type.KIND,
    Intrinsic.CHILD_COUNT: Type.INTEGER,
    Intrinsic.SPAN_ID: Type.STRING,
    Intrinsic.PARENT_ID: Type.STRING,
    Intrinsic.TRACE_ID: Type.STRING,
    Intrinsic.ROOT_NAME: Type.STRING,
    Intrinsic.ROOT_SERVICE: Type.STRING,
    Intrinsic.TRACE_DURATION: Type.DURATION,
    Intrinsic.EVENT_NAME: Type.STRING,
    Intrinsic.EVENT_TIME_SINCE_START: Type.DURATION,
    Intrinsic.LINK_TRACE_ID: Type.STRING,
    Intrinsic.LINK_SPAN_ID: Type.STRING,
    Intrinsic.SCOPE_NAME: Type.STRING,
    Intrinsic.SCOPE_VERSION: Type.STRING,
    Intrinsic.NESTED_SET_PARENT: Type.INTEGER,
}

INTRINSIC_WORDS: Final = {
    **{intrinsic.value: intrinsic for intrinsic in Intrinsic},
    "span:name": Intrinsic.NAME,
    "span:status": Intrinsic.STATUS,
    "span:statusMessage": Intrinsic.STATUS_MESSAGE,
    "span:duration": Intrinsic.DURATION,
    "span:kind": Intrinsic.KIND,
    "childCount": Intrinsic.CHILD_COUNT,
    "trace:rootName": Intrinsic.ROOT_NAME,
    "trace:rootService": Intrinsic.ROOT_SERVICE,
    "trace:duration": Intrinsic.TRACE_DURATION,
}
"""Every way to write an intrinsic, the older ones and those with a scope."""

OF_TRACE: Final = frozenset({Intrinsic.ROOT_NAME, Intrinsic.ROOT_SERVICE, Intrinsic.TRACE_DURATION})
"""Told by the other spans of a trace."""

OF_MANY: Final = frozenset(
    {
        Intrinsic.EVENT_NAME,
        Intrinsic.EVENT_TIME_SINCE_START,
        Intrinsic.LINK_TRACE_ID,
        Intrinsic.LINK_SPAN_ID,
    }
)

UNSUPPORTED_WORDS: Final = {
    "parent": "the intrinsic parent",
    "nestedSetLeft": "the intrinsic nestedSetLeft",
    "nestedSetRight": "the intrinsic nestedSetRight",
}

STATUS_CODES: Final = {"unset": 0, "ok": 1, "error": 2}
KIND_CODES: Final = {"unspecified": 0, "internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
VALUE_WORDS: Final = ("true", "false", "nil", *STATUS_CODES, *KIND_CODES)

AGGREGATES: Final = ("count", "avg", "min", "max", "sum")
STAGES: Final = ("by", "select", "coalesce")
COUNTING: Final = ("rate", "count_over_time")
MEASURING: Final = ("min_over_time", "max_over_time", "avg_over_time", "sum_over_time", "histogram_over_time")
METRICS: Final = (*COUNTING, *MEASURING, "quantile_over_time", "compare")
RANKS: Final = ("topk", "bottomk")
FUNCTIONS: Final = (*AGGREGATES, *STAGES, *METRICS, *RANKS, "with")

HINTS: Final = ("most_recent", "exemplars", "sample", "span_sample", "trace_sample")
"""Query hints that are taken: what they ask for is done anyway, but for `exemplars`, which says how many."""
