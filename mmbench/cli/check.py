"""``mmbench check``: put plugins through the conformance kit."""

from __future__ import annotations

import sys

import click

from mmbench.cli import EXIT_FAILED_CELLS, EXIT_NOTHING
from mmbench.cli.options import parsed_options


@click.command("check")
@click.argument("names", nargs=-1, metavar="[[SORT:]NAME]...")
@click.option("--plugin", "plugins", multiple=True, metavar="P", help="A file or module to load.")
@click.option(
    "--set", "settings", multiple=True, metavar="OPTION=VALUE",
    help="Build it with this option; repeatable.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["text", "md", "json"]), default="text",
    help="How to print: md is a summary to paste into a pull request.",
)  # fmt: skip
@click.option(
    "--timeout", type=click.FloatRange(min=0, min_open=True), default=120.0, show_default=True,
    metavar="S", help="Seconds that one check may take.",
)  # fmt: skip
def command(
    names: tuple[str, ...],
    plugins: tuple[str, ...],
    settings: tuple[str, ...],
    form: str,
    timeout: float,
) -> int:
    """Check that plugins keep their contract: NAME, SORT:NAME, or an installed plugin's name.

    Without a name, all that the --plugin given registers.
    """
    from mmbench.testing.examination import NothingToCheckError, Verdict, examinations
    from mmbench.testing.rendering import as_json, as_markdown, as_text

    if not names and not plugins:
        raise click.UsageError("say what to check: a NAME, or --plugin FILE.py")
    shown = sys.stderr.isatty()

    def listener(verdict: Verdict, check: str) -> None:
        if shown:
            click.echo(f"\r\x1b[K{verdict.title}: {check}", nl=False, err=True)

    verdicts = []
    try:
        for verdict in examinations(
            names,
            plugins=plugins,
            params=parsed_options(settings),
            timeout=timeout,
            listener=listener,
        ):
            if shown:
                click.echo("\r\x1b[K", nl=False, err=True)
            verdicts.append(verdict)
            if form == "text":
                click.echo(as_text([verdict]))
    except NothingToCheckError as error:
        click.echo(f"mmbench: {error}", err=True)
        return EXIT_NOTHING
    if form != "text":
        click.echo(as_markdown(verdicts) if form == "md" else as_json(verdicts))
    return EXIT_FAILED_CELLS if any(verdict.failures for verdict in verdicts) else 0
