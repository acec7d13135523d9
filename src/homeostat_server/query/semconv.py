"""Old and new names of the same attribute, after the renames of OpenTelemetry's semantic conventions.

A search for one name finds spans that say any of them. Only renames that keep the value are here, and those whose few
values were renamed too (`db.system`, `net.transport`); a name that was split in two (`http.target`, `net.sock.family`)
is not the same as either part. Sources: the published schema file up to 1.44
(https://opentelemetry.io/schemas/1.44.0) and the migration tables for HTTP, databases, RPC and code
(https://opentelemetry.io/docs/specs/semconv/non-normative/).

Invariant: every name is in one group, so `same_as` is symmetric and transitive.
"""

from collections.abc import Mapping
from typing import Final

RENAMED: Final[Mapping[str, tuple[str, ...]]] = {
    # HTTP
    "http.request.method": ("http.method",),
    "http.response.status_code": ("http.status_code",),
    "http.request.body.size": ("http.request_content_length", "http.request_content_length_uncompressed"),
    "http.response.body.size": ("http.response_content_length", "http.response_content_length_uncompressed"),
    "http.request.resend_count": ("http.resend_count", "http.retry_count"),
    "url.full": ("http.url",),
    "url.scheme": ("http.scheme",),
    "user_agent.original": ("http.user_agent", "browser.user_agent"),
    # Network. `net.peer.name` is the server for a client and the client for a server; clients are who said it.
    "server.address": ("net.peer.name", "net.host.name", "http.server_name", "tls.client.server_name"),
    "server.port": ("net.peer.port", "net.host.port"),
    "client.address": ("http.client_ip",),
    "network.peer.address": ("net.sock.peer.addr", "net.peer.ip", "server.socket.address", "client.socket.address"),
    "network.peer.port": ("net.sock.peer.port", "server.socket.port", "client.socket.port"),
    "network.local.address": ("net.sock.host.addr", "net.host.ip"),
    "network.local.port": ("net.sock.host.port",),
    "network.protocol.name": ("net.protocol.name", "net.app.protocol.name", "messaging.protocol"),
    "network.protocol.version": (
        "http.flavor",
        "net.protocol.version",
        "net.app.protocol.version",
        "messaging.protocol_version",
    ),
    "network.transport": ("net.transport",),
    "network.connection.type": ("net.host.connection.type",),
    "network.connection.subtype": ("net.host.connection.subtype",),
    "network.connection.state": ("system.network.state",),
    "network.carrier.name": ("net.host.carrier.name",),
    "network.carrier.mcc": ("net.host.carrier.mcc",),
    "network.carrier.mnc": ("net.host.carrier.mnc",),
    "network.carrier.icc": ("net.host.carrier.icc",),
    "network.io.direction": ("system.network.io.direction", "system.network.direction"),
    "network.interface.name": ("system.device",),
    "service.peer.name": ("peer.service",),
    # Databases
    "db.system.name": ("db.system",),
    "db.namespace": (
        "db.name",
        "db.cassandra.keyspace",
        "db.hbase.namespace",
        "db.redis.database_index",
        "db.elasticsearch.cluster.name",
    ),
    "db.collection.name": ("db.sql.table", "db.mongodb.collection", "db.cosmosdb.container", "db.cassandra.table"),
    "db.operation.name": ("db.operation",),
    "db.query.text": ("db.statement",),
    "db.response.status_code": ("db.cosmosdb.status_code",),
    "db.client.connection.state": ("db.client.connections.state",),
    "db.client.connection.pool.name": ("db.client.connections.pool.name", "pool.name"),
    "elasticsearch.node.name": ("db.elasticsearch.node.name", "db.instance.id"),
    "cassandra.consistency.level": ("db.cassandra.consistency_level",),
    "cassandra.coordinator.dc": ("db.cassandra.coordinator.dc",),
    "cassandra.coordinator.id": ("db.cassandra.coordinator.id",),
    "cassandra.page.size": ("db.cassandra.page_size",),
    "cassandra.query.idempotent": ("db.cassandra.idempotence",),
    "cassandra.speculative_execution.count": ("db.cassandra.speculative_execution_count",),
    "azure.client.id": ("db.cosmosdb.client_id",),
    "azure.cosmosdb.connection.mode": ("db.cosmosdb.connection_mode",),
    "azure.cosmosdb.consistency.level": ("db.cosmosdb.consistency_level",),
    "azure.cosmosdb.operation.contacted_regions": ("db.cosmosdb.regions_contacted",),
    "azure.cosmosdb.operation.request_charge": ("db.cosmosdb.request_charge",),
    "azure.cosmosdb.request.body.size": ("db.cosmosdb.request_content_length",),
    "azure.cosmosdb.response.sub_status_code": ("db.cosmosdb.sub_status_code",),
    "azure.resource_provider.namespace": ("az.namespace",),
    "azure.service.request.id": ("az.service_request_id",),
    # Messaging
    "messaging.destination.name": ("messaging.destination",),
    "messaging.destination.temporary": ("messaging.temp_destination",),
    "messaging.destination.kind": ("messaging.destination_kind",),
    "messaging.destination.partition.id": ("messaging.kafka.destination.partition", "messaging.kafka.partition"),
    "messaging.destination.subscription.name": ("messaging.servicebus.destination.subscription_name",),
    "messaging.operation.type": ("messaging.operation",),
    "messaging.client.id": ("messaging.client_id", "messaging.kafka.client_id", "messaging.rocketmq.client_id"),
    "messaging.consumer.id": ("messaging.consumer_id",),
    "messaging.consumer.group.name": (
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.rocketmq.client_group",
        "messaging.eventhubs.consumer.group",
    ),
    "messaging.message.id": ("messaging.message_id",),
    "messaging.message.conversation_id": ("messaging.conversation_id",),
    "messaging.message.body.size": ("messaging.message.payload_size_bytes", "messaging.message_payload_size_bytes"),
    "messaging.message.payload_compressed_size_bytes": ("messaging.message_payload_compressed_size_bytes",),
    "messaging.rabbitmq.destination.routing_key": ("messaging.rabbitmq.routing_key",),
    "messaging.kafka.message.key": ("messaging.kafka.message_key",),
    "messaging.kafka.message.tombstone": ("messaging.kafka.tombstone",),
    "messaging.kafka.offset": ("messaging.kafka.message.offset",),
    "messaging.rocketmq.message.type": ("messaging.rocketmq.message_type",),
    "messaging.rocketmq.message.tag": ("messaging.rocketmq.message_tag",),
    "messaging.rocketmq.message.keys": ("messaging.rocketmq.message_keys",),
    # RPC
    "rpc.system.name": ("rpc.system",),
    "rpc.response.status_code": ("rpc.grpc.status_code", "rpc.connect_rpc.error_code", "rpc.jsonrpc.error_code"),
    "rpc.message.type": ("message.type",),
    "rpc.message.id": ("message.id",),
    "rpc.message.compressed_size": ("message.compressed_size",),
    "rpc.message.uncompressed_size": ("message.uncompressed_size",),
    "jsonrpc.request.id": ("rpc.jsonrpc.request_id",),
    "jsonrpc.protocol.version": ("rpc.jsonrpc.version",),
    # Code
    "code.function.name": ("code.function",),
    "code.file.path": ("code.filepath",),
    "code.line.number": ("code.lineno",),
    "code.column.number": ("code.column",),
    # Generative AI
    "gen_ai.provider.name": ("gen_ai.system",),
    "gen_ai.usage.input_tokens": ("gen_ai.usage.prompt_tokens",),
    "gen_ai.usage.output_tokens": ("gen_ai.usage.completion_tokens",),
    "gen_ai.request.seed": ("gen_ai.openai.request.seed",),
    "gen_ai.output.type": ("gen_ai.openai.request.response_format",),
    "openai.request.service_tier": ("gen_ai.openai.request.service_tier",),
    "openai.response.service_tier": ("gen_ai.openai.response.service_tier",),
    "openai.response.system_fingerprint": ("gen_ai.openai.response.system_fingerprint",),
    # Users, functions, flags
    "user.id": ("enduser.id",),
    "user.roles": ("enduser.role",),
    "faas.invocation_id": ("faas.execution",),
    "cloud.resource_id": ("faas.id",),
    "feature_flag.provider.name": ("feature_flag.provider_name",),
    "feature_flag.result.reason": ("feature_flag.evaluation.reason",),
    "feature_flag.result.variant": ("feature_flag.variant",),
    "feature_flag.error.message": ("feature_flag.evaluation.error.message",),
    # Resources: deployment, telemetry, process, system, container, version control, mobile
    "deployment.environment.name": ("deployment.environment",),
    "otel.scope.name": ("otel.library.name",),
    "otel.scope.version": ("otel.library.version",),
    "telemetry.distro.version": ("telemetry.auto.version",),
    "container.runtime.name": ("container.runtime",),
    "cpu.mode": ("system.cpu.state", "process.cpu.state", "container.cpu.state"),
    "cpu.logical_number": ("system.cpu.logical_number",),
    "disk.io.direction": ("system.disk.io.direction", "system.disk.direction"),
    "system.memory.linux.slab.state": ("linux.memory.slab.state",),
    "system.paging.fault.type": ("system.paging.type", "process.paging.fault_type"),
    "process.context_switch.type": ("process.context_switch_type",),
    "process.executable.build_id.htlhash": ("process.executable.build_id.profiling",),
    "process.state": ("system.process.status", "system.processes.status"),
    "jvm.thread.daemon": ("thread.daemon",),
    "vcs.change.id": ("vcs.repository.change.id",),
    "vcs.change.title": ("vcs.repository.change.title",),
    "vcs.ref.head.name": ("vcs.repository.ref.name",),
    "vcs.ref.head.revision": ("vcs.repository.ref.revision",),
    "vcs.ref.head.type": ("vcs.repository.ref.type",),
    "android.app.state": ("android.state",),
    "ios.app.state": ("ios.state",),
}
"""The newest name of each group, and its older ones, the newer first."""

RENAMED_PREFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "rpc.request.metadata.": ("rpc.grpc.request.metadata.", "rpc.connect_rpc.request.metadata."),
    "rpc.response.metadata.": ("rpc.grpc.response.metadata.", "rpc.connect_rpc.response.metadata."),
    "db.operation.parameter.": ("db.elasticsearch.path_parts.",),
    "container.label.": ("container.labels.",),
    "k8s.pod.label.": ("k8s.pod.labels.",),
}
"""The newest beginning of names that end in what a user chose, and its older ones."""

HEADER_PREFIXES: Final = ("http.request.header.", "http.response.header.")
"""Behind these stands a header's name, in small letters; the dashes in it were once written as underscores."""

GRPC_CODES: Final = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""In the order of their numbers, which `rpc.grpc.status_code` held."""

RENAMED_VALUES: Final[Mapping[str, Mapping[str, str]]] = {
    "db.system.name": {
        "adabas": "softwareag.adabas",
        "cache": "intersystems.cache",
        "cosmosdb": "azure.cosmosdb",
        "db2": "ibm.db2",
        "dynamodb": "aws.dynamodb",
        "firebird": "firebirdsql",
        "hanadb": "sap.hana",
        "informix": "ibm.informix",
        "ingres": "actian.ingres",
        "maxdb": "sap.maxdb",
        "mssql": "microsoft.sql_server",
        "netezza": "ibm.netezza",
        "oracle": "oracle.db",
        "redshift": "aws.redshift",
        "spanner": "gcp.spanner",
    },
    "messaging.operation.type": {"publish": "send", "deliver": "process"},
    "network.transport": {"ip_tcp": "tcp", "ip_udp": "udp"},
    "rpc.response.status_code": {str(number): name for number, name in enumerate(GRPC_CODES)},
}
"""By the newest name: what its older names said, and what it says for the same."""

_NEWEST: Final = {old: new for new, olds in RENAMED.items() for old in olds}
_VALUES: Final = {
    key: {**values, **{new: old for old, new in values.items()}} for key, values in RENAMED_VALUES.items()
}


def newest(key: str) -> str:
    """Return the name that stands for all names of an attribute: the newest, or the name itself when it has one."""
    if key in _NEWEST:
        return _NEWEST[key]
    renamed = _renamed_prefix(key)
    if renamed is not None:
        return renamed
    prefix = _header_prefix(key)
    return key if prefix is None else prefix + key.removeprefix(prefix).replace("_", "-")


def same_as(key: str) -> tuple[str, ...]:
    """Return all names of an attribute, the newest first; one that was never renamed is alone."""
    new = newest(key)
    return (new, *RENAMED.get(new, ()), *_old_prefixes(new), *_underscored(new))


def same_values(key: str, value: str) -> tuple[str, ...]:
    """Return the texts by which the names of an attribute say the same value, the given one first."""
    other = _VALUES.get(newest(key), {}).get(value)
    return (value,) if other is None else (value, other)


def _renamed_prefix(key: str) -> str | None:
    for new, olds in RENAMED_PREFIXES.items():
        for old in olds:
            if key.startswith(old):
                return new + key.removeprefix(old)
    return None


def _old_prefixes(new: str) -> tuple[str, ...]:
    for prefix, olds in RENAMED_PREFIXES.items():
        if new.startswith(prefix):
            return tuple(old + new.removeprefix(prefix) for old in olds)
    return ()


def _header_prefix(key: str) -> str | None:
    """Return the prefix of a header's name that has dashes or underscores, not both: that one was not renamed."""
    for prefix in HEADER_PREFIXES:
        header = key.removeprefix(prefix)
        if header != key and ("-" in header) != ("_" in header):
            return prefix
    return None


def _underscored(new: str) -> tuple[str, ...]:
    prefix = _header_prefix(new)
    return () if prefix is None else (prefix + new.removeprefix(prefix).replace("-", "_"),)
