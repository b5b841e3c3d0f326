"""``mmbench view``: the reports of runs, served to a browser on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click


@click.command("view")
@click.argument("results", default="results", metavar="[RESULTS]", type=click.Path(path_type=Path))
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="P",
    help="The port to serve on (default: any that is free).",
)  # fmt: skip
@click.option("--no-browser", is_flag=True, help="Open no browser.")
def command(results: Path, port: int, no_browser: bool) -> int:
    """Serve the reports of all runs below RESULTS (default: results), or of one run's folder.

    Runs that go on are shown as they go. Only browsers on this machine are served, and nothing is
    written. Ctrl-C ends it.
    """
    from mmbench.cli import EXIT_INTERRUPTED
    from mmbench.view.server import ViewServer

    with ViewServer(results, port) as server:
        click.echo(f"{server.url} shows {results}; Ctrl-C ends it")
        if not no_browser and _has_browser():
            import webbrowser

            webbrowser.open(server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return EXIT_INTERRUPTED
    return 0


def _has_browser() -> bool:
    """Whether there is a browser that does not take the terminal."""
    return sys.platform != "linux" or any(
        name in os.environ for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")
    )
