import time
from collections.abc import Mapping
from pathlib import Path

import grpc
import pytest

from homeostat_server.api.ingest_grpc import METHODS
from homeostat_server.model.signal import Signal
from tests.e2e.numbered import numbered_body
from tests.running import Platform, create_key, revoke_key, running
from tests.stored_rows import stored_rows
from tests.waiting import until

pytestmark = pytest.mark.e2e

REVOKED_WITHIN_S = 5.0
_METHOD_OF = {signal: method for method, signal in METHODS.items()}


def bearer(token: str, **more: str) -> dict[str, str]:
    """Return the headers of somebody with a key."""
    return {"authorization": f"Bearer {token}", **more}


def call(platform: Platform, signal: Signal, data: bytes, headers: Mapping[str, str]) -> grpc.StatusCode:
    """Send a body over gRPC and return the code of the answer."""
    with grpc.insecure_channel(platform.grpc_target) as channel:
        method: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(_METHOD_OF[signal])
        try:
            method(data, metadata=tuple(headers.items()), timeout=10)
        except grpc.RpcError as error:
            return error.code()
    return grpc.StatusCode.OK


def test_a_forged_tenant_beside_a_key_decides_nothing(tmp_path: Path) -> None:
    """Over both transports what is sent with a key is stored as the key's tenant, and so is what is read."""
    data = tmp_path / "data"
    acme = create_key(data, tenant="acme", scopes=["ingest", "read"])
    globex = create_key(data, tenant="globex", scopes=["ingest", "read"])
    with running(data) as platform:
        for number, signal in enumerate(Signal, start=1):
            forged = bearer(acme, **{"x-scope-orgid": "globex"})
            over_http, over_grpc = (
                numbered_body(signal, number=10 * number + each, items=2, service="a").data for each in range(2)
            )
            assert platform.post(signal, over_http, forged).status == 200
            assert call(platform, signal, over_grpc, forged) is grpc.StatusCode.OK
        platform.wait_until_stored()
        asked = "/api/v1/services"
        own = platform.get(asked, bearer(acme)).json()
        others = platform.get(asked, bearer(globex, **{"x-scope-orgid": "acme"})).json()
        assert (len(own["services"]), others["services"]) == (1, [])
        assert platform.metric('homeostat_security_authentications_total{outcome="forged_tenant"}') >= 7
    with stored_rows(data) as stored:
        for table in ("spans", "trace_bounds", "sources", "logs", "series", "samples"):
            assert stored.rows(f"SELECT DISTINCT tenant FROM telemetry.{table}") == [{"tenant": b"acme"}], table


def test_a_revoked_key_is_refused_within_five_seconds(tmp_path: Path) -> None:
    """A running process learns of a revocation by itself; what is sent with the key after that is not stored."""
    data = tmp_path / "data"
    token, other = create_key(data, tenant="acme"), create_key(data, tenant="acme")
    body = numbered_body(Signal.LOGS, number=1, items=2, service="a").data
    with running(data) as platform:
        assert platform.post("logs", body, bearer(token)).status == 200
        revoke_key(data, token)
        began_s = time.monotonic()
        until(lambda: platform.post("logs", body, bearer(token)).status == 401, timeout_s=REVOKED_WITHIN_S)
        assert time.monotonic() - began_s < REVOKED_WITHIN_S
        refused = platform.post("logs", b"", bearer(token))
        assert b"use a revoked API key" in refused.body
        assert call(platform, Signal.LOGS, body, bearer(token)) is grpc.StatusCode.UNAUTHENTICATED
        assert platform.post("logs", body, bearer(other)).status == 200


def test_a_key_that_may_only_read_stores_nothing(tmp_path: Path) -> None:
    """Scopes hold over both transports and both ways."""
    data = tmp_path / "data"
    reader, sender = create_key(data, tenant="acme", scopes=["read"]), create_key(data, tenant="acme")
    body = numbered_body(Signal.TRACES, number=1, items=2, service="a").data
    with running(data) as platform:
        assert platform.post("traces", body, bearer(reader)).status == 403
        assert call(platform, Signal.TRACES, body, bearer(reader)) is grpc.StatusCode.PERMISSION_DENIED
        assert platform.get("/api/v1/services", bearer(sender)).status == 403
        assert platform.get("/api/v1/services", bearer(reader)).json()["services"] == []
        assert platform.get("/api/v1/services").status == 401


def test_revoking_the_last_key_opens_nothing(tmp_path: Path) -> None:
    """A process that starts on loopback with revoked keys only still asks for one."""
    data = tmp_path / "data"
    token = create_key(data, tenant="acme")
    revoke_key(data, token)
    with running(data) as platform:
        assert platform.post("logs", b"").status == 401
        assert platform.post("logs", b"", bearer(token)).status == 401
