"""Attributes of spans by kind, after the OpenTelemetry semantic conventions (1.37): http, rpc, db, messaging, code.

Invariant: knows a node and its trace's number; what varies in every copy is written as a sentinel.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from benchmarks.realistic import vocabulary
from benchmarks.realistic.landscape import Kind, Operation
from benchmarks.realistic.slots import Sentinels
from benchmarks.realistic.trees import Node

Scalar = str | bool | int | float
Value = Scalar | bytes | list[str] | dict[str, Scalar]
Attributes = dict[str, Value]

VARINT_KEYS: Final[Mapping[str, bool]] = {
    "app.queue.wait_us": False,
    "http.request.body.size": False,
    "http.response.body.size": False,
    "messaging.kafka.offset": True,
    "messaging.message.body.size": False,
    "rpc.response.size": False,
}
"""Int attributes whose two-byte varint gets a fresh value in every copy, and whether it is a counter: any number.

The others are sizes and waits, of which some are far more common.
"""

_ANY_VARINT: Final = 1_000
_ROWS: Final = (1, 0, 20, 2, 10, 3, 50, 5, 4, 100, 25, 7, 12, 200, 500)
"""Rows that statements return, the most usual first: one by its key, none, a page."""

_PORTS: Final = {"postgresql": 5432, "redis": 6379, "mongodb": 27017, "elasticsearch": 9200, "clickhouse": 8123}
_STATUS_OF_METHOD: Final = {"POST": 201, "DELETE": 204}


@dataclass(frozen=True)
class Scene:
    """Say in which trace a node stands and where its randomness and sentinels come from."""

    trace: int
    random: random.Random
    sentinels: Sentinels

    def user(self) -> str:
        """Return the user id of the trace."""
        return "u-" + self.sentinels.text("N", self.trace)

    def order(self) -> str:
        """Return the order id of the trace."""
        return "ord_" + self.sentinels.text("O", self.trace)

    def hexadecimal(self, words: int) -> str:
        """Return `words` times eight hexadecimal digits of a slot of their own."""
        return "".join(self.sentinels.text("R", self.sentinels.take("R")) for _ in range(words))

    def number(self) -> str:
        """Return eight decimal digits of a slot of their own."""
        return self.sentinels.text("G", self.sentinels.take("G"))

    def amount(self) -> float:
        """Return a double of a slot of its own."""
        return self.sentinels.double("D", self.sentinels.take("D"))


def of_node(node: Node, scene: Scene) -> Attributes:
    """Return the attributes of a node's span."""
    attributes = _BY_KIND[node.operation.kind](node, scene)
    _add_business(attributes, scene)
    if node.failed:
        attributes["error.type"] = "500" if "http.response.status_code" in attributes else "OperationFailed"
    return attributes


def fill(target: Callable[[], KeyValue], attributes: Mapping[str, Value]) -> None:
    """Append attributes to a repeated field, given its `add`."""
    for key, value in attributes.items():
        item = target()
        item.key = key
        set_value(item.value, value)


def set_value(message: AnyValue, value: Value) -> None:
    """Set an `AnyValue` from a Python value."""
    if isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, bytes):
        message.bytes_value = value
    elif isinstance(value, list):
        _set_array(message, value)
    else:
        fill(message.kvlist_value.values.add, value)


def _set_array(message: AnyValue, words: Sequence[str]) -> None:
    for word in words:
        message.array_value.values.add().string_value = word


def path_of(route: str, scene: Scene) -> str:
    """Fill a route's parameters in, ids as slots."""
    parts = [_parameter(part, scene) if part.startswith("{") else part for part in route.split("/")]
    return "/".join(parts)


def _parameter(part: str, scene: Scene) -> str:
    if part == "{user_id}":
        return scene.user()
    if part == "{order_id}":
        return scene.order()
    if part == "{sku}":
        return vocabulary.sku(scene.random)
    if part in ("{category}", "{report}"):
        return vocabulary.skewed(scene.random, vocabulary.CATEGORIES)
    return scene.number()


def _http_server(node: Node, scene: Scene) -> Attributes:
    method, route = node.operation.subject.split(" ")
    attributes: Attributes = {
        "http.request.method": method,
        "url.scheme": "https" if "gateway" in node.operation.service.name else "http",
        "url.path": path_of(route, scene),
        "http.route": route,
        "http.response.status_code": _status(node, method, scene),
        "server.address": node.operation.service.name,
        "server.port": 8080,
        "network.protocol.version": "1.1",
        "client.address": vocabulary.client_address(scene.random),
        "user_agent.original": vocabulary.skewed(scene.random, vocabulary.USER_AGENTS),
        "http.response.body.size": _ANY_VARINT,
    }
    if method != "GET":
        attributes["http.request.body.size"] = _ANY_VARINT
    return attributes


def _http_client(node: Node, scene: Scene) -> Attributes:
    target = node.target or node.operation
    method, _, route = target.subject.partition(" ")
    host = f"{target.service.name}.shop.svc"
    return {
        "http.request.method": method,
        "url.full": f"http://{host}:8080{path_of(route, scene)}",
        "server.address": host,
        "server.port": 8080,
        "http.response.status_code": _status(node, method, scene),
        "network.protocol.version": "1.1",
        "network.peer.address": vocabulary.peer_address(host),
        "http.response.body.size": _ANY_VARINT,
    }


def _status(node: Node, method: str, scene: Scene) -> int:
    if node.failed:
        return scene.random.choice((500, 502, 503, 504))
    if node.operation.kind is Kind.HTTP_SERVER and scene.random.random() < 0.02:  # 4xx are no failures of a server
        return scene.random.choice((400, 401, 404, 404, 409, 422))
    return _STATUS_OF_METHOD.get(method, 200)


def _rpc(node: Node, scene: Scene) -> Attributes:
    service, method = node.operation.subject.split("/")
    attributes: Attributes = {
        "rpc.system": "grpc",
        "rpc.service": service,
        "rpc.method": method,
        "rpc.grpc.status_code": scene.random.choice((4, 13, 14)) if node.failed else 0,
        "server.address": service.split(".")[1],
        "server.port": 50051,
        "network.transport": "tcp",
        "network.peer.address": vocabulary.peer_address(service),
        "rpc.response.size": _ANY_VARINT,
    }
    return attributes


def _sql(node: Node, scene: Scene) -> Attributes:
    service, table = node.operation.service, node.operation.subject
    verb = node.operation.name.split(" ")[0]
    return {
        "db.system.name": service.database,
        "db.namespace": service.name.replace("-", "_"),
        "db.collection.name": table,
        "db.operation.name": verb,
        "db.query.summary": node.operation.name,
        "db.query.text": _statement(verb, table, scene.random),
        "server.address": f"{service.database}-{service.index % 5}.data.svc",
        "server.port": _PORTS[service.database],
        "network.peer.address": vocabulary.peer_address(service.database + str(service.index % 5)),
        "db.response.returned_rows": vocabulary.skewed(scene.random, _ROWS),
    }


def _statement(verb: str, table: str, source: random.Random) -> str:
    columns = ", ".join(("id", "user_id", "state", "created_at", "amount", "sku")[: source.randrange(2, 7)])
    return _STATEMENTS[verb].format(columns=columns, table=table)


def _cache(node: Node, scene: Scene) -> Attributes:
    service = node.operation.service
    verb = node.operation.name
    return {
        "db.system.name": "redis",
        "db.namespace": str(service.index % 4),
        "db.operation.name": verb,
        "db.query.text": f"{verb} {service.name}:{scene.number()} ?",
        "server.address": f"redis-{service.index % 3}.data.svc",
        "server.port": _PORTS["redis"],
        "network.peer.address": vocabulary.peer_address("redis" + str(service.index % 3)),
        "network.transport": "tcp",
        "app.cache.hit": scene.random.random() < 0.85,  # a usual hit ratio
    }


def _messaging(node: Node, scene: Scene) -> Attributes:
    consuming = node.operation.kind is Kind.CONSUMER
    service, topic = node.operation.service, node.operation.subject
    attributes: Attributes = {
        "messaging.system": "kafka",
        "messaging.destination.name": topic,
        "messaging.operation.type": "process" if consuming else "send",
        "messaging.operation.name": "process" if consuming else "send",
        "messaging.destination.partition.id": str(vocabulary.rank(scene.random, 24)),
        "messaging.message.id": scene.hexadecimal(4),
        "messaging.message.body.size": _ANY_VARINT,
        "messaging.client.id": f"{service.name}-{node.instance.digest[:6]}",
        "messaging.kafka.offset": _ANY_VARINT,
        "app.order.id": scene.order(),
    }
    if consuming:
        attributes["messaging.consumer.group.name"] = f"{service.name}-workers"
    return attributes


def _internal(node: Node, scene: Scene) -> Attributes:
    service, function = node.operation.service, node.operation.subject
    thread = vocabulary.rank(scene.random, 32)
    attributes: Attributes = {
        "code.function.name": f"{service.name.replace('-', '_')}.service.{function}",
        "code.file.path": f"/app/{service.name.replace('-', '_')}/service.py",
        "code.line.number": 40 + service.index * 3,
        "thread.id": 139_000 + thread,
        "thread.name": f"worker-{thread}",
        "app.queue.wait_us": _ANY_VARINT,
        "app.cart.total": scene.amount(),
        "app.currency": vocabulary.skewed(scene.random, vocabulary.CURRENCIES),
    }
    return attributes


def _add_business(attributes: Attributes, scene: Scene) -> None:
    """Add what people put on spans by hand: some ids, flags, sums; not on every span."""
    source = scene.random
    choices: tuple[tuple[float, str, Callable[[], Value]], ...] = (
        (0.35, "user.id", scene.user),
        (0.12, "app.order.id", scene.order),
        (0.15, "app.customer.tier", lambda: vocabulary.skewed(source, vocabulary.TIERS)),
        (0.12, "app.country", lambda: vocabulary.skewed(source, vocabulary.COUNTRIES)),
        (0.06, "app.product.sku", lambda: vocabulary.sku(source)),
        (0.05, "app.order.amount", scene.amount),
        (0.03, "app.experiment.active", lambda: source.random() < 0.5),  # a coin
        (0.03, "feature_flag.keys", lambda: source.sample(vocabulary.FLAGS, source.randrange(1, 4))),
        (0.005, "app.geo", lambda: {"country": vocabulary.skewed(source, vocabulary.COUNTRIES), "zone": 3}),
        (0.002, "app.request.digest", lambda: source.randbytes(8)),
    )
    for chance, key, value in choices:
        if key not in attributes and source.random() < chance:
            attributes[key] = value()


_STATEMENTS: Final = {
    "SELECT": "SELECT {columns} FROM {table} WHERE user_id = $1 AND state = $2 ORDER BY created_at DESC LIMIT $3",
    "INSERT": "INSERT INTO {table} ({columns}) VALUES ($1, $2) RETURNING id",
    "UPDATE": "UPDATE {table} SET state = $1, updated_at = now() WHERE id = $2",
    "DELETE": "DELETE FROM {table} WHERE id = $1",
}
_BY_KIND: Final[dict[Kind, Callable[[Node, Scene], Attributes]]] = {
    Kind.HTTP_SERVER: _http_server,
    Kind.HTTP_CLIENT: _http_client,
    Kind.RPC_SERVER: _rpc,
    Kind.RPC_CLIENT: _rpc,
    Kind.SQL: _sql,
    Kind.CACHE: _cache,
    Kind.PRODUCER: _messaging,
    Kind.CONSUMER: _messaging,
    Kind.INTERNAL: _internal,
}


def scope_of(operation: Operation) -> tuple[str, str]:
    """Return the instrumentation scope (name, version) that makes an operation's spans."""
    service, kind = operation.service, operation.kind
    if kind is Kind.INTERNAL:
        return f"shop.{service.name.replace('-', '_')}", "1.0.0"
    return _SCOPES[service.language].format(library=_LIBRARIES[kind]), "0.58b0"


_LIBRARIES: Final = {
    Kind.HTTP_SERVER: "http.server",
    Kind.HTTP_CLIENT: "http.client",
    Kind.RPC_SERVER: "grpc",
    Kind.RPC_CLIENT: "grpc",
    Kind.SQL: "sql",
    Kind.CACHE: "redis",
    Kind.PRODUCER: "kafka",
    Kind.CONSUMER: "kafka",
}
_SCOPES: Final = {
    "python": "opentelemetry.instrumentation.{library}",
    "go": "go.opentelemetry.io/contrib/instrumentation/{library}",
    "java": "io.opentelemetry.{library}-2.18",
    "nodejs": "@opentelemetry/instrumentation-{library}",
}
