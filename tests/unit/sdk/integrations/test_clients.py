import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homeostat.integrations.clients import CLIENTS, Clients
from homeostat.integrations.late import Imports
from homeostat.integrations.messaging import Messaging
from homeostat.propagation import Propagator


@pytest.fixture
def clients() -> Iterator[Clients]:
    """Give clients that are watched, and leave all as it was."""
    imports = Imports()
    imports.start()
    made = Clients(imports, Messaging(Propagator()))
    yield made
    made.stop()
    imports.stop()


def test_a_client_is_hooked_when_it_is_imported(clients: Clients) -> None:
    """At once when it is there already; the settings choose which."""
    importlib.import_module("nats")
    clients.start(wanted=["nats", "pika"], unwanted=["pika"])
    assert (clients.hooked, clients.waiting) == (("nats",), ())
    clients.stop()
    assert clients.hooked == ()


def test_none_is_hooked_where_none_is_wanted(clients: Clients) -> None:
    """Neither now nor later."""
    clients.start(wanted=["auto"], unwanted=["*"])
    assert (clients.hooked, clients.waiting) == ((), ())


def test_an_integration_that_fails_costs_its_messages_only(
    clients: Clients, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The program's import goes on, and one warning says so."""
    (tmp_path / "broken_client.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(CLIENTS, "nowhere", "broken_client")
    clients.start(wanted=["nowhere"], unwanted=[])
    waited = clients.waiting
    importlib.import_module("broken_client")
    assert "nowhere is not hooked: ModuleNotFoundError" in caplog.text
    assert (waited, clients.hooked, clients.waiting) == (("nowhere",), (), ())
    del sys.modules["broken_client"]
