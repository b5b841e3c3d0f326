"""``mmbench env``: the machine and the versions."""

from __future__ import annotations

import json

import click


@click.command("env")
def command() -> None:
    """Show the machine, the plugins and the versions of what they require, as JSON."""
    from mmbench.catalogue import load_catalogue
    from mmbench.environment import environment
    from mmbench.store import default_location

    described = {**environment(load_catalogue()), "store": default_location()}
    click.echo(json.dumps(described, indent=2, ensure_ascii=False))
