"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def matrix_options(command: Command) -> Command:
    """Add what says which matrix: the file, ``--set``, ``--plugin``, ``--limit``, ``--device``."""
    for decorate in (
        click.option(
            "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
            help="Where encoders and networks compute.",
        ),
        click.option(
            "--limit", type=click.IntRange(min=2), metavar="N",
            help="Use a stratified sample of N per dataset.",
        ),
        click.option(
            "--plugin", "plugins", multiple=True, metavar="P",
            help="A file (x.py) or module to load; repeatable.",
        ),
        click.option(
            "--set", "overrides", multiple=True, metavar="KEY=VALUE",
            help="Override a key of the file; repeatable.",
        ),
        store_option,
        click.argument("file", metavar="FILE", type=click.Path(path_type=Path)),
    ):  # fmt: skip
        command = decorate(command)
    return command


store_option = click.option(
    "--store",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where results are kept (default: MMBENCH_STORE or the user's cache folder).",
)
