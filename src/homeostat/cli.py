"""The one command `homeostat`: a group whose sub-commands are found by entry point. It imports none of them itself."""

import click

import homeostat


@click.group()
def main() -> None:
    """Observability that closes the loop."""


@main.command()
def version() -> None:
    """Print the version."""
    click.echo(homeostat.__version__)
