"""The command line: parses, calls, prints. Each verb is a module, imported when it is used."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Sequence

import click

VERBS = {
    "cache": "list, prune or verify the store of results",
    "check": "put a plugin through the conformance kit",
    "compare": "is a run worse than another: quality, speed, coverage",
    "env": "show the machine and the versions",
    "import-benchmark": "bring pytest-benchmark's figures into a run's table of timings",
    "list": "show what encoders, fusions, heads, ... there are",
    "new": "write a package to start a plugin from",
    "plan": "show what a matrix file would do, and do nothing",
    "report": "write a run's report",
    "run": "evaluate a matrix file: do what is missing",
    "time": "time one encoder, fusion or head, or one combination",
    "view": "serve the reports of runs to a browser on this machine",
}

EXIT_FAILED_CELLS = 1
EXIT_USAGE = 2
EXIT_NOTHING = 3
EXIT_INTERRUPTED = 130


class _Verbs(click.Group):
    """Imports a verb's module only when the verb is used; plugins may add verbs."""

    def list_commands(self, context: click.Context) -> list[str]:
        self._add_plugin_commands()
        return sorted({*VERBS, *self.commands})

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in VERBS:
            module = importlib.import_module(f"mmbench.cli.{name.replace('-', '_')}")
            command: click.Command = module.command
            return command
        if name not in self.commands:
            self._add_plugin_commands()
        return self.commands.get(name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        rows = []
        for name in self.list_commands(context):
            added = self.commands.get(name)
            rows.append((name, added.get_short_help_str() if added else VERBS[name]))
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from mmbench.errors import did_you_mean

        if self.get_command(context, args[0]) is None and not args[0].startswith("-"):
            known = self.list_commands(context)
            raise click.UsageError(f"unknown command {args[0]!r}{did_you_mean(args[0], known)}")
        return super().resolve_command(context, args)

    def _add_plugin_commands(self) -> None:
        from mmbench.catalogue import load_catalogue
        from mmbench.errors import one_line

        catalogue = load_catalogue()
        for implementation in catalogue.manager.hook.mmbench_register_commands.get_hookimpls():
            try:
                implementation.function(cli=self)
            except (Exception, SystemExit) as error:
                told = f"plugin {implementation.plugin_name}: {one_line(error)}"
                click.echo(told, err=True)


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mmbench", message="%(package)s %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Benchmark encoders, fusion strategies and classifiers for multimodal data."""


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: an error is one line on stderr, unless ``--debug``."""
    given = sys.argv[1:] if args is None else args
    debug = "--debug" in given
    arguments = [argument for argument in given if argument != "--debug"]
    try:
        status = cli.main(arguments, prog_name="mmbench", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        sys.exit(EXIT_USAGE)
    except (Exception, KeyboardInterrupt) as error:
        told = _tell(error)
        if told is None:
            raise
        if debug:
            traceback.print_exception(error)
        message, status = told
        click.echo(f"mmbench: {message}", err=True)
        sys.exit(status)


def _tell(error: BaseException) -> tuple[str, int] | None:
    """Return the line and the exit status for an error that a user can cause."""
    from mmbench.errors import UserError

    if isinstance(error, click.ClickException):
        return " ".join(error.format_message().split()), EXIT_USAGE
    if isinstance(error, UserError):
        return str(error), EXIT_USAGE
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return "interrupted", EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        sys.stdout = None
        return "the output was closed", EXIT_FAILED_CELLS
    if type(error).__module__ == "mmbench.execution":
        from mmbench.execution import InterruptedRunError, NothingToDoError

        if isinstance(error, InterruptedRunError):
            return str(error), EXIT_INTERRUPTED
        if isinstance(error, NothingToDoError):
            return str(error), EXIT_NOTHING
    return None
