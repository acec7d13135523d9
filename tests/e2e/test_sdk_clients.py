from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from homeostat_server.model.signal import Signal
from tests.e2e.sdk import Caller, grpc_exporter, http_exporter, issue, send
from tests.running import Platform, create_key, running
from tests.stored_rows import StoredRows, stored_rows

pytestmark = pytest.mark.e2e

TRANSPORTS = {"http": http_exporter, "grpc": grpc_exporter}
NOBODY_KEY = f"hs_{'0' * 16}_{'0' * 64}"


@dataclass(frozen=True)
class Door:
    """Hold how the process is protected, and who is let in."""

    settings: Mapping[str, Any]
    welcome: Caller
    tenant: str


def open_door(data: Path, protection: str) -> Door:
    """Prepare a folder and settings: "open", or any of "keys", "tls" and "client-ca" joined by a plus."""
    parts = protection.split("+")
    files = issue(data.parent / "certificates")
    caller = Caller()
    settings: dict[str, Path] = {}
    if "tls" in parts:
        settings = {"tls_certificate": files.server_certificate, "tls_key": files.server_key}
        caller = replace(caller, trusts=files.authority)
    if "client-ca" in parts:
        settings["tls_client_ca"] = files.authority
        caller = replace(caller, shows=(files.client_certificate, files.client_key))
    if "keys" not in parts:
        return Door(settings, replace(caller, headers={"X-Scope-OrgID": "acme"}), "acme")
    token = create_key(data, tenant="keyed")
    headers = {"Authorization": f"Bearer {token}", "X-Scope-OrgID": "forged"}
    return Door(settings, replace(caller, headers=headers), "keyed")


def strangers(door: Door, others: Path) -> dict[str, Caller]:
    """Return callers that must not get in, each for one reason."""
    found = {}
    if "Authorization" in door.welcome.headers:
        found["without.key"] = replace(door.welcome, headers={"X-Scope-OrgID": "keyed"})
        found["wrong.key"] = replace(door.welcome, headers={"Authorization": f"Bearer {NOBODY_KEY}"})
    if door.welcome.trusts:
        found["without.tls"] = replace(door.welcome, trusts=None, shows=None)
    if door.welcome.shows:
        impostor = issue(others)
        found["without.certificate"] = replace(door.welcome, shows=None)
        shown = (impostor.client_certificate, impostor.client_key)
        found["certificate.of.another.authority"] = replace(door.welcome, shows=shown)
    return found


def delivered(platform: Platform, caller: Caller, name: str) -> dict[str, list[bool]]:
    """Send an item of every signal over both transports; return what the exporters say."""
    ports = {"http": platform.http_port, "grpc": platform.grpc_port}
    # All at once: an exporter whose connection is refused tries again until its time is over.
    with ThreadPoolExecutor() as threads:
        sent = {
            transport: [
                threads.submit(_send, make(signal, port=ports[transport], caller=caller), signal, name)
                for signal in Signal
            ]
            for transport, make in TRANSPORTS.items()
        }
        return {transport: [future.result() for future in futures] for transport, futures in sent.items()}


def _send(exporter: Any, signal: Signal, name: str) -> bool:  # noqa: ANN401 - of either transport
    try:
        return send(exporter, signal, name)
    except OSError:  # requests' ConnectionError: the HTTP exporters let that of a TLS alert through
        return False


def rows_of(stored: StoredRows, column: str, table: str) -> list[tuple[object, object]]:
    """Return tenant and name of all rows of a table."""
    found = stored.rows(f"SELECT tenant, {column} AS name FROM telemetry.{table} ORDER BY tenant, name")
    return [(row["tenant"], row["name"]) for row in found]


@pytest.mark.parametrize("protection", ["open", "tls", "keys", "keys+tls", "keys+tls+client-ca"])
def test_the_sdk_delivers_where_it_may(tmp_path: Path, protection: str) -> None:
    """Its exporters deliver all signals over both transports, as their tenant; whoever may not delivers nothing."""
    data = tmp_path / "data"
    door = open_door(data, protection)
    with running(data, **door.settings) as platform:
        welcome = delivered(platform, door.welcome, "welcome")
        refused = {
            reason: delivered(platform, caller, reason)
            for reason, caller in strangers(door, tmp_path / "impostor").items()
        }
    assert welcome == {"http": [True] * 3, "grpc": [True] * 3}
    assert refused == {reason: {"http": [False] * 3, "grpc": [False] * 3} for reason in refused}
    tenant = door.tenant.encode()
    with stored_rows(data) as stored:
        assert rows_of(stored, "name", "spans") == [(tenant, b"welcome")] * 2
        assert rows_of(stored, "body", "logs") == [(tenant, b"welcome")] * 2
        assert rows_of(stored, "metric", "samples") == [(tenant, b"welcome")] * 2
        assert rows_of(stored, "metric", "histograms") == [(tenant, b"welcome.duration")] * 2
