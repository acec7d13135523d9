"""The commands `homeostat key …`: print what the key ring answers. No rule lives here.

They open the small state only, so they work beside a running server, which knows of a change within five seconds.
The token goes to standard output alone, so that `KEY=$(homeostat key create …)` holds it and nothing else.
"""

import getpass
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from homeostat_server.exceptions import SettingInvalid
from homeostat_server.model.identity import Scope
from homeostat_server.model.tenant import parse_tenant
from homeostat_server.runtime.clock import SystemClock
from homeostat_server.runtime.settings import Settings
from homeostat_server.runtime.telemetry import Telemetry
from homeostat_server.server.options import ServerCommand, setting_options_named, settings_of_process

if TYPE_CHECKING:  # SQLAlchemy is loaded when a command runs: `homeostat --help` has to answer without the extra
    from homeostat_server.security.keys import KeyRing
    from homeostat_server.store.state.api_keys import ApiKey

_NS_PER_S = 1_000_000_000
_where = setting_options_named("data", "state", "config")
_as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def key() -> None:
    """Create, list and revoke the API keys that decide who may send and read."""


@key.command(cls=ServerCommand)
@click.option("--tenant", required=True, help="Whose data the key sends and reads.")
@click.option(
    "--scope",
    "scopes",
    required=True,
    multiple=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may do; give it twice for both.",
)
@click.option("--comment", default="", help="A note for the list, such as who uses it.")
@_as_json
@_where
def create(tenant: str, scopes: tuple[str, ...], comment: str, *, as_json: bool, **flags: object | None) -> None:
    """Make a key and print it: it is shown this once."""
    name = parse_tenant(tenant)
    with _key_ring(settings_of_process(flags)) as ring:
        is_first = not ring.list()
        created = ring.create(
            name, scopes=frozenset(Scope(word) for word in scopes), comment=comment, created_by=user_name()
        )
    if as_json:
        _print_json({"key": str(created.token), **_described(created.key)})
    else:
        click.echo(f"A key of tenant {name} ({', '.join(sorted(scopes))}). It is shown only now:", err=True)
        click.echo(str(created.token))
    if is_first:
        click.echo("It is the first one: from now on every request needs a key, on this machine too.", err=True)


@key.command(name="list", cls=ServerCommand)
@_as_json
@_where
def list_keys(*, as_json: bool, **flags: object | None) -> None:
    """List the keys, without their secrets: the active ones by age, then the newest revoked ones."""
    with _existing_key_ring(settings_of_process(flags)) as ring:
        keys = ring.list()
    if as_json:
        _print_json([_described(one) for one in keys])
        return
    _print_table([_HEADINGS, *(_cells(one) for one in keys)])


@key.command(cls=ServerCommand)
@click.argument("key_id", metavar="KEY")
@_as_json
@_where
def revoke(key_id: str, *, as_json: bool, **flags: object | None) -> None:
    """End a key for ever; KEY is what `homeostat key list` shows, such as hs_0123456789abcdef."""
    with _existing_key_ring(settings_of_process(flags)) as ring:
        revoked = ring.revoke(key_id)
        is_last = not ring.has_active_keys()
    if as_json:
        _print_json(_described(revoked))
    else:
        click.echo(f"Revoked {_shown_id(revoked)} of tenant {revoked.tenant}; a running server knows it in 5 seconds.")
    if is_last:
        click.echo("No active key is left: nobody can send or read until another is made.", err=True)


@contextmanager
def _key_ring(settings: Settings) -> "Iterator[KeyRing]":
    from homeostat_server.security.keys import KeyRing  # noqa: PLC0415 - see TYPE_CHECKING above
    from homeostat_server.store.state.api_keys import ApiKeyRecords  # noqa: PLC0415
    from homeostat_server.store.state.migration import open_state  # noqa: PLC0415

    database = open_state(_state_dsn(settings))
    try:
        yield KeyRing(ApiKeyRecords(database), clock=SystemClock(), telemetry=Telemetry())
    finally:
        database.close()


@contextmanager
def _existing_key_ring(settings: Settings) -> "Iterator[KeyRing]":
    """Open the state, but make none: whoever lists keys in a folder that has none is in the wrong folder."""
    from homeostat_server.store.state.dsn import is_state_there  # noqa: PLC0415

    if not is_state_there(_state_dsn(settings)):
        hint = "Name the server's folder with --data, or make a first key with `homeostat key create`."
        raise SettingInvalid("find a state database in the data folder", value=str(settings.data), hint=hint)
    with _key_ring(settings) as ring:
        yield ring


def _state_dsn(settings: Settings) -> str:
    from homeostat_server.store.state.dsn import default_state_dsn  # noqa: PLC0415

    return settings.state or default_state_dsn(settings.data)


def user_name(*, ask: Callable[[], str] = getpass.getuser) -> str | None:
    """Return who runs this, nothing where the user has no name (a container with a bare number)."""
    with suppress(OSError, KeyError):  # KeyError until Python 3.12, OSError from 3.13 on
        return ask()
    return None


def _described(one: "ApiKey") -> dict[str, object]:
    return {
        "id": _shown_id(one),
        "tenant": one.tenant,
        "scopes": sorted(one.scopes),
        "comment": one.comment,
        "created_at": _moment(one.created_at_ns),
        "created_by": one.created_by,
        "last_used_at": _moment(one.last_used_at_ns),
        "revoked_at": _moment(one.revoked_at_ns),
    }


_HEADINGS = ("KEY", "TENANT", "SCOPES", "CREATED", "LAST USED", "REVOKED", "COMMENT")


def _cells(one: "ApiKey") -> tuple[str, ...]:
    moments = (one.created_at_ns, one.last_used_at_ns, one.revoked_at_ns)
    return (
        _shown_id(one),
        one.tenant,
        ",".join(sorted(one.scopes)),
        *(_moment(moment) or "-" for moment in moments),
        one.comment,
    )


def _shown_id(one: "ApiKey") -> str:
    from homeostat_server.security.tokens import shown_id  # noqa: PLC0415

    return shown_id(one.id)


def _moment(at_ns: int | None) -> str | None:
    if at_ns is None:
        return None
    return datetime.fromtimestamp(at_ns // _NS_PER_S, tz=UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _print_table(rows: list[tuple[str, ...]]) -> None:
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_json(document: object) -> None:
    click.echo(json.dumps(document, indent=2))
