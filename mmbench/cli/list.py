"""``mmbench list``: what is registered."""

from __future__ import annotations

import json
import typing
from typing import TYPE_CHECKING, Any

import click

from mmbench.catalogue import SORTS, Catalogue, Entry, Plugin, load_catalogue
from mmbench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from mmbench.options import Option

SECTIONS = {f"{sort}s": sort for sort in SORTS}


@click.command("list")
@click.argument("words", nargs=-1, metavar="[SORT] [NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--plugin", "plugins", multiple=True, metavar="P", help="A file or module to load.")
def command(words: tuple[str, ...], as_json: bool, plugins: tuple[str, ...]) -> None:
    """Show what there is: encoders, fusions, heads, datasets, ... or plugins.

    With a NAME (or SORT:NAME), show its options.
    """
    catalogue = load_catalogue(plugins)
    section, name = _understand(words, catalogue)
    if section == "plugins":
        _plugins(catalogue, as_json)
        return
    catalogue.check()
    if name is not None:
        _show(_lookup(catalogue, section, name), as_json)
        return
    sorts = [SECTIONS[section]] if section else list(SORTS)
    if as_json:
        entries = [e.describe() for sort in sorts for e in catalogue.entries[sort].values()]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    click.echo("\n".join(line for sort in sorts for line in _lines(catalogue, sort)))
    broken = [plugin.name for plugin in catalogue.plugins if plugin.error]
    if broken:
        click.echo(f"failed to load: {', '.join(broken)}; see `mmbench list plugins`", err=True)


def _understand(words: tuple[str, ...], catalogue: Catalogue) -> tuple[str | None, str | None]:
    if len(words) > 2:
        raise click.UsageError("expected at most a sort and a name")
    if not words:
        return None, None
    if words[0] in {*SECTIONS, "plugins"}:
        return words[0], words[1] if len(words) == 2 else None
    if len(words) == 2:
        known = [*SECTIONS, "plugins"]
        raise click.UsageError(f"unknown sort {words[0]!r}{did_you_mean(words[0], known)}")
    return None, words[0]


def _lookup(catalogue: Catalogue, section: str | None, name: str) -> Entry:
    sorts = [SECTIONS[section]] if section else list(SORTS)
    found = catalogue.named(name, sorts)
    if not found:
        known = [n for s in sorts for n in catalogue.entries[s]]
        known += [] if section else [*SECTIONS, "plugins"]
        bare = name.rpartition(":")[2]
        raise UserError(f"list: there is no {bare!r}{did_you_mean(bare, known)}")
    if len(found) > 1:
        options = " or ".join(f"{entry.sort}:{name}" for entry in found)
        raise UserError(f"list: {name!r} is more than one thing; say {options}")
    return found[0]


def _lines(catalogue: Catalogue, sort: str) -> list[str]:
    entries = catalogue.entries[sort].values()
    if not entries:
        return []
    width = max(len(entry.name) for entry in entries)
    lines = [f"{sort}s"]
    for entry in entries:
        about = " ".join(filter(None, ["+".join(entry.kinds), entry.level]))
        note = f"[{about}] " if about else ""
        lines.append(f"  {entry.name:<{width}}  {note}{entry.summary}".rstrip())
    return lines


def _plugins(catalogue: Catalogue, as_json: bool) -> None:
    if as_json:
        rows = [_describe(plugin, catalogue) for plugin in catalogue.plugins]
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    for plugin in catalogue.plugins:
        described = _describe(plugin, catalogue)
        state = "FAILED" if plugin.error else ", ".join(described["registers"])
        click.echo(f"{plugin.name} {plugin.version}: {state}".replace(" :", ":"))
        if plugin.error:
            click.echo("  " + plugin.error.rstrip().replace("\n", "\n  "))
    for conflict in catalogue.conflicts:
        click.echo(f"conflict: {conflict}")


def _describe(plugin: Plugin, catalogue: Catalogue) -> dict[str, Any]:
    registers = [
        f"{sort}:{entry.name}"
        for sort in SORTS
        for entry in catalogue.entries[sort].values()
        if entry.plugin is plugin
    ]
    return {
        "name": plugin.name,
        "version": plugin.version or None,
        "registers": registers,
        "error": plugin.error,
    }


def _show(entry: Entry, as_json: bool) -> None:
    from mmbench.errors import one_line
    from mmbench.options import signature

    try:
        accepted = signature(entry)
    except (Exception, SystemExit) as error:
        raise UserError(
            f"list: {entry.sort} {entry.name!r} cannot be imported: {one_line(error)}"
        ) from error
    options = [_option(option) for option in accepted.options.values()]
    given = sorted(accepted.asks)
    if as_json:
        described = {**entry.describe(), "options": options, "given": given}
        click.echo(json.dumps([described], indent=2, ensure_ascii=False))
        return
    about = " ".join(filter(None, [entry.level, entry.sort, "of", "+".join(entry.kinds)]))
    click.echo(f"{entry.name}: {about.removesuffix(' of')} (plugin {entry.plugin.name})")
    if entry.summary:
        click.echo(f"  {entry.summary}")
    for option in options:
        default = "required" if option["required"] else f"default {option['default']}"
        click.echo(f"  {option['name']}: {option['type']} ({default})")
    if given:
        click.echo(f"  given by mmbench: {', '.join(given)}")


def _option(option: Option) -> dict[str, Any]:
    from mmbench.options import canonical

    annotation = option.annotation
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    plain = isinstance(annotation, type) and not hasattr(annotation, "__origin__")
    text = annotation.__name__ if plain else str(annotation).replace("typing.", "")
    return {
        "name": option.name,
        "type": text,
        "required": option.required,
        "default": json.loads(canonical(option.default)),
    }
