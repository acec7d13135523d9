"""The instances of services: which processes run where, and the resource attributes each of them sends.

Invariant: an instance is a pure function of its service and ordinal, so the three signals name the same processes.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from benchmarks.realistic.landscape import Service

HOSTS: Final = 16
"""Nodes of the imaginary cluster; a Collector runs on each and its bodies carry the instances of its node."""

_SDK_VERSIONS: Final = {"go": "1.38.0", "java": "1.54.1", "nodejs": "2.1.0", "python": "1.37.0"}
_REGIONS: Final = ("eu-central-1", "eu-west-1")
_INSTANCES: Final = (4, 2, 3, 2, 1, 2, 3, 2)
"""Instances a service, by its index; uneven as replica counts are."""


@dataclass(frozen=True)
class Instance:
    """Name one process of a service."""

    service: Service
    ordinal: int

    @property
    def digest(self) -> str:
        """Return a stable hexadecimal fingerprint of the instance."""
        return hashlib.blake2b(f"{self.service.name}/{self.ordinal}".encode(), digest_size=16).hexdigest()

    @property
    def host(self) -> int:
        """Return the number of the node the instance runs on."""
        return int(self.digest[:4], 16) % HOSTS

    @property
    def version(self) -> str:
        """Return the version; the last instance of every third service is a canary."""
        canary = self.service.index % 3 == 0 and self.ordinal == instances_of(self.service) - 1
        minor = self.service.index % 9
        return f"{1 + self.service.index % 4}.{minor + canary}.{self.service.index % 5}"


def instances_of(service: Service) -> int:
    """Return how many instances of a service trace and log."""
    return _INSTANCES[service.index % len(_INSTANCES)]


def resource(instance: Instance) -> Resource:
    """Return the resource of an instance: 8 to 10 attributes after the semantic conventions."""
    service, digest = instance.service, instance.digest
    message = Resource()
    texts = {
        "service.name": service.name,
        "service.namespace": "shop",
        "service.version": instance.version,
        "service.instance.id": f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-a{digest[17:20]}-{digest[20:]}",
        "deployment.environment.name": "production",
        "telemetry.sdk.language": service.language,
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": _SDK_VERSIONS[service.language],
    }
    if service.index % 4:
        texts["k8s.pod.name"] = f"{service.name}-{digest[:9]}-{digest[9:14]}"
    if service.index % 3:
        texts["host.name"] = f"node-{instance.host:02d}.{_REGIONS[instance.host % 2]}.internal"
    for key, value in texts.items():
        message.attributes.add(key=key).value.string_value = value
    return message
