"""``mmbench new``: a package to start a plugin from."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mmbench.catalogue import SORTS
from mmbench.contracts import KINDS, LEVELS


@click.command("new")
@click.argument("name", metavar="NAME")
@click.option("--kind", type=click.Choice(SORTS), required=True, help="What sort of plugin.")
@click.option("--level", type=click.Choice(LEVELS), help="Of a fusion (default: feature).")
@click.option(
    "--modality", type=click.Choice(KINDS), help="What an encoder takes (default: image)."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="DIR",
    help="The package's own folder (default: NAME).",
)  # fmt: skip
def command(
    name: str, kind: str, level: str | None, modality: str | None, out: Path | None
) -> None:
    """Write a package to start a plugin from, called NAME.

    It holds a small plugin that works, a test and a README; change it into yours.
    """
    from mmbench.scaffold import new_package

    package = new_package(name, kind, level=level, modality=modality, out=out)
    sort = f"{package.kind}:{package.entry}"
    click.echo(f"{package.folder} holds {package.distribution}, which registers {sort}")
    for path in package.files:
        click.echo(f"  {path}")
    folder = package.folder.as_posix()
    if not package.folder.is_absolute():
        folder = f"./{folder}"
    click.echo("next:")
    click.echo(f"  python -m pip install -e {shlex.quote(folder + '[test]')}")
    click.echo(f"  mmbench list {sort}")
    click.echo(f"  mmbench check {sort}")
    click.echo(f"  python -m pytest {shlex.quote(folder)}")
