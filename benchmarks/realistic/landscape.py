"""The imaginary company whose telemetry the benchmarks use: 40 services, 300 operations and a fixed call graph.

Invariant: knows no seed, no time and no wire format; two builds are equal, so a service map drawn from any generated
data is the same picture.
"""

import itertools
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

OPERATIONS: Final = 300
"""How many distinct (service, span name) pairs exist; the issue that ordered this generator asks for 300."""


class Kind(StrEnum):
    """Name what a span stands for; each has its own attributes."""

    HTTP_SERVER = "http_server"
    HTTP_CLIENT = "http_client"
    RPC_SERVER = "rpc_server"
    RPC_CLIENT = "rpc_client"
    SQL = "sql"
    CACHE = "cache"
    PRODUCER = "producer"
    CONSUMER = "consumer"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Service:
    """Describe one service as its line in the table below."""

    name: str
    index: int
    language: str
    protocol: str
    database: str
    tables: tuple[str, ...]
    routes: tuple[str, ...]
    calls: tuple[str, ...]
    publishes: tuple[str, ...]
    consumes: tuple[str, ...]


@dataclass(frozen=True)
class Operation:
    """Describe a span name within a service: what it is and how long it typically takes by itself."""

    service: Service
    name: str
    kind: Kind
    subject: str
    """The route, RPC method, table, topic or function the operation is about."""
    median_ms: float
    sigma: float


@dataclass(frozen=True)
class Step:
    """Say what an endpoint may do: one operation of its own and, for a call, the endpoint called."""

    operation: Operation
    probability: float
    target: "Endpoint | None" = None


@dataclass(frozen=True, eq=False)
class Endpoint:
    """Pair an entry operation with the steps it may take, filled while the landscape is built."""

    operation: Operation
    steps: list[Step]


@dataclass(frozen=True)
class Landscape:
    """Hold the whole company: services, endpoints by service, entry points and consumers by topic."""

    services: tuple[Service, ...]
    endpoints: dict[str, tuple[Endpoint, ...]]
    roots: tuple[Endpoint, ...]
    consumers: dict[str, tuple[Endpoint, ...]]
    operations: tuple[Operation, ...]


# name | language | protocol | database | tables | routes | calls | publishes | consumes
_TABLE: Final = """
edge-gateway|go|http|redis||GET /,GET /products/{product_id},GET /search,GET /cart,POST /cart/items,POST /checkout,GET /orders/{order_id},POST /login,GET /account,GET /recommendations|web-bff,mobile-bff,auth||
partner-gateway|go|http|redis||GET /v1/offers,POST /v1/orders,GET /v1/orders/{order_id},PUT /v1/stock/{sku}|partner-api,auth||
web-bff|nodejs|http|redis||GET /pages/home,GET /pages/product/{product_id},GET /pages/cart,POST /pages/checkout,GET /pages/order/{order_id}|catalog,search,cart,checkout,recommendation,review,account||
mobile-bff|nodejs|http|redis||GET /m/feed,GET /m/product/{product_id},GET /m/cart,POST /m/checkout|catalog,search,cart,checkout,wishlist,feature-flag||
admin-bff|nodejs|http|||GET /admin/orders,POST /admin/refunds,GET /admin/reports|order,returns,analytics||
partner-api|python|http|postgresql|partners|GET /partners/offers,POST /partners/orders,PUT /partners/stock/{sku}|catalog,order,inventory,admin-bff||
auth|go|grpc|redis||Login,Verify,Refresh|session,account||
session|go|grpc|redis||Get,Put|||
account|python|http|postgresql|accounts|GET /accounts/{user_id},PATCH /accounts/{user_id}|loyalty,address|account.updated|
address|python|http|postgresql|addresses|GET /addresses/{user_id},POST /addresses|geo||
catalog|java|http|postgresql|products|GET /catalog/products/{product_id},GET /catalog/categories/{category}|pricing,media,inventory|product.changed|
search|java|http|elasticsearch|products|GET /search/query,GET /search/suggest|ranking,feature-flag||
ranking|python|grpc|redis||Rank,Explain|feature-store||
feature-store|python|grpc|redis||GetFeatures|||
recommendation|python|http|redis||GET /recommendations/{user_id},GET /similar/{product_id}|ranking,catalog||
pricing|go|grpc|postgresql|prices|Quote,Bulk|promotion,currency||
promotion|go|grpc|postgresql|promotions|Apply,List|||
currency|go|grpc|redis||Convert|||
inventory|java|grpc|postgresql|stock|Check,Reserve,Release||stock.changed|order.cancelled
cart|python|http|redis||GET /carts/{user_id},POST /carts/{user_id}/items,DELETE /carts/{user_id}/items/{sku}|pricing,inventory||
wishlist|python|http|mongodb|wishlists|GET /wishlists/{user_id},POST /wishlists/{user_id}|catalog||
checkout|python|http|postgresql|checkouts|POST /checkouts,POST /checkouts/{checkout_id}/confirm|cart,tax,payment,order,fraud,shipping|checkout.completed|
tax|python|http|postgresql|tax_rates|POST /tax/calculate|geo||
geo|go|grpc|redis||Locate|||
fraud|python|grpc|postgresql|cases|Score,Report|feature-store||payment.failed
payment|java|http|postgresql|payments|POST /payments,POST /payments/{payment_id}/capture|ledger,card-vault|payment.captured,payment.failed|
card-vault|java|grpc|postgresql|cards|Tokenize,Charge|||
ledger|java|grpc|postgresql|entries|Post,Balance|||payment.captured
order|python|http|postgresql|orders,order_items|POST /orders,GET /orders/{order_id},POST /orders/{order_id}/cancel|inventory,shipping|order.created,order.cancelled|
shipping|python|http|postgresql|shipments|POST /shipments,GET /shipments/{shipment_id}|carrier,address|shipment.created|order.created
carrier|nodejs|http|||POST /labels,GET /tracking/{shipment_id}|geo||
returns|python|http|postgresql|returns|POST /returns,GET /returns/{order_id}|order,payment,notification||
review|nodejs|http|mongodb|reviews|GET /reviews/{product_id},POST /reviews|moderation||
moderation|python|grpc|redis||Check|||
media|go|http|redis||GET /media/{product_id}|||
loyalty|python|http|postgresql|points|GET /points/{user_id},POST /points/{user_id}|feature-flag||checkout.completed
feature-flag|go|grpc|redis||Evaluate|||
notification|python|http|mongodb|messages|POST /notifications|template||order.created,shipment.created,account.updated
template|nodejs|grpc|||Render|||
analytics|java|http|clickhouse|events|GET /reports/{report}|||checkout.completed,stock.changed,product.changed
"""  # noqa: E501 -- one line a service keeps the table readable as a table

_MEDIANS_MS: Final = {
    Kind.HTTP_SERVER: 2.0,
    Kind.HTTP_CLIENT: 0.9,
    Kind.RPC_SERVER: 0.8,
    Kind.RPC_CLIENT: 0.4,
    Kind.SQL: 2.5,
    Kind.CACHE: 0.35,
    Kind.PRODUCER: 1.2,
    Kind.CONSUMER: 6.0,
    Kind.INTERNAL: 1.0,
}
_SQL_VERBS: Final = ("SELECT", "INSERT", "UPDATE", "DELETE")
_CACHE_VERBS: Final = ("GET", "SET", "EXPIRE", "HGETALL")
_FUNCTIONS: Final = (
    "validate", "serialize", "authorize", "load_context", "apply_rules", "render", "merge", "enrich",
)  # fmt: skip


def build() -> Landscape:
    """Build the landscape; equal on every call."""
    builder = _Builder()
    return builder.landscape()


def _services() -> tuple[Service, ...]:
    lines = [line.strip(" ") for line in _TABLE.strip().splitlines()]
    return tuple(_service(index, line.split("|")) for index, line in enumerate(lines))


def _service(index: int, fields: list[str]) -> Service:
    name, language, protocol, database, *lists = (field.strip() for field in fields)
    tables, routes, calls, publishes, consumes = (tuple(part for part in text.split(",") if part) for text in lists)
    return Service(name, index, language, protocol, database, tables, routes, calls, publishes, consumes)


class _Builder:
    """Collect operations while endpoints are joined into the call graph."""

    def __init__(self) -> None:
        self.services = _services()
        self.by_name = {service.name: service for service in self.services}
        self.operations: dict[tuple[str, str], Operation] = {}
        self.endpoints = {service.name: self._endpoints(service) for service in self.services}
        self.consumers: dict[str, list[Endpoint]] = {}

    def landscape(self) -> Landscape:
        for service in self.services:
            self._add_consumers(service)
        for service in self.services:
            self._add_calls(service)
            self._add_storage(service)
            self._add_publishes(service)
        self._add_internals()
        return Landscape(
            services=self.services,
            endpoints={name: tuple(points) for name, points in self.endpoints.items()},
            roots=(*self.endpoints["edge-gateway"], *self.endpoints["partner-gateway"], *self.endpoints["admin-bff"]),
            consumers={topic: tuple(points) for topic, points in self.consumers.items()},
            operations=tuple(self.operations.values()),
        )

    def _operation(self, service: Service, name: str, kind: Kind, subject: str) -> Operation:
        key = (service.name, name)
        if key not in self.operations:
            spread = 0.4 + 1.6 * ((len(self.operations) * 37) % 101) / 101
            sigma = 0.35 + 0.4 * ((len(self.operations) * 53) % 97) / 97
            self.operations[key] = Operation(service, name, kind, subject, _MEDIANS_MS[kind] * spread, sigma)
        return self.operations[key]

    def _endpoints(self, service: Service) -> list[Endpoint]:
        kind = Kind.HTTP_SERVER if service.protocol == "http" else Kind.RPC_SERVER
        names = [route if kind is Kind.HTTP_SERVER else rpc_name(service.name, route) for route in service.routes]
        return [Endpoint(self._operation(service, name, kind, name), []) for name in names]

    def _add_consumers(self, service: Service) -> None:
        for topic in service.consumes:
            endpoint = Endpoint(self._operation(service, f"process {topic}", Kind.CONSUMER, topic), [])
            self.endpoints[service.name].append(endpoint)
            self.consumers.setdefault(topic, []).append(endpoint)

    def _add_calls(self, service: Service) -> None:
        """Spread every endpoint of the services called over the caller's endpoints, so that all are reachable."""
        targets = [point for name in service.calls for point in self._callable(name)]
        callers = self.endpoints[service.name]
        for position in range(max(len(targets), len(callers)) if targets else 0):
            target = targets[position % len(targets)]
            operation = self._client(service, target.operation)
            callers[position % len(callers)].steps.append(Step(operation, 0.55 + 0.4 * (position % 2), target))

    def _callable(self, name: str) -> list[Endpoint]:
        return [point for point in self.endpoints[name] if point.operation.kind is not Kind.CONSUMER]

    def _client(self, service: Service, target: Operation) -> Operation:
        if target.kind is Kind.RPC_SERVER:
            return self._operation(service, target.name, Kind.RPC_CLIENT, target.name)
        return self._operation(service, target.name.split(" ")[0], Kind.HTTP_CLIENT, target.name)

    def _add_storage(self, service: Service) -> None:
        for position, endpoint in enumerate(self.endpoints[service.name]):
            if service.tables:
                table = service.tables[position % len(service.tables)]
                verb = _SQL_VERBS[position % len(_SQL_VERBS)]
                endpoint.steps.append(Step(self._operation(service, f"{verb} {table}", Kind.SQL, table), 0.9))
                read = self._operation(service, f"SELECT {table}", Kind.SQL, table)
                endpoint.steps.append(Step(read, 0.5))
            elif service.database:
                verb = _CACHE_VERBS[position % len(_CACHE_VERBS)]
                endpoint.steps.append(Step(self._operation(service, verb, Kind.CACHE, service.name), 0.8))

    def _add_publishes(self, service: Service) -> None:
        for position, topic in enumerate(service.publishes):
            endpoints = self.endpoints[service.name]
            operation = self._operation(service, f"send {topic}", Kind.PRODUCER, topic)
            endpoints[position % len(endpoints)].steps.append(Step(operation, 0.9))

    def _add_internals(self) -> None:
        """Give services in-process work until there are exactly the operations wanted."""
        for function, service in itertools.product(_FUNCTIONS, self.services):
            if len(self.operations) == OPERATIONS:
                return
            name = f"{service.name.replace('-', '_')}.{function}"
            operation = self._operation(service, name, Kind.INTERNAL, function)
            for endpoint in self.endpoints[service.name]:
                endpoint.steps.append(Step(operation, 0.5))


def rpc_name(service: str, method: str) -> str:
    """Return a full RPC method name for a service's method."""
    camel = "".join(part.capitalize() for part in service.split("-"))
    return f"shop.{service.replace('-', '')}.v1.{camel}/{method}"
