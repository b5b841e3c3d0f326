"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
    metavar="DIR|URL",
    help="Where results are kept, such as s3://bucket/prefix "
    "(default: MMBENCH_STORE or the user's cache folder).",
)


def parsed_options(settings: Iterable[str]) -> dict[str, Any]:
    """Return a component's options from ``--set OPTION=VALUE``: values are TOML, or bare text."""
    import tomllib

    from mmbench.errors import UserError

    options: dict[str, Any] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise UserError(f"--set {setting!r}: OPTION=VALUE was expected")
        try:
            options[name.strip()] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            options[name.strip()] = text
    return options
