"""``mmbench cache``: the store of results."""

from __future__ import annotations

import time

import click

from mmbench.cli.options import store_option


@click.group("cache")
def command() -> None:
    """List, prune or verify the store of results."""


@command.command("ls")
@store_option
def ls(store: str | None) -> None:
    """Show what is stored: number and size by kind of work."""
    from mmbench.store import store_at

    kept = store_at(store)
    totals: dict[str, tuple[int, int]] = {}
    for key in kept:
        meta = kept.meta(key)
        label = "damaged" if meta is None else str(meta.get("label") or meta["kind"])
        n, size = totals.get(label, (0, 0))
        totals[label] = (n + 1, size + kept.size(key))
    for label, (n, size) in sorted(totals.items(), key=lambda item: -item[1][1]):
        click.echo(f"{size / 1e6:10.2f} MB  {n:6d}  {label}")
    size = sum(size for _, size in totals.values())
    count = sum(n for n, _ in totals.values())
    click.echo(f"{size / 1e6:10.2f} MB  {count:6d}  in {kept.location}")


@command.command("prune")
@store_option
@click.option("--days", type=click.FloatRange(min=0), help="Only what is older than that.")
def prune(store: str | None, days: float | None) -> None:
    """Remove what is stored, and what killed processes left behind."""
    from mmbench.store import store_at

    kept = store_at(store)
    newest = time.time() - (days or 0) * 86400
    removed = 0
    for key in list(kept):
        if days is None or kept.made(key) < newest:
            kept.remove(key)
            removed += 1
    kept.sweep()
    click.echo(f"removed {removed} results from {kept.location}")


@command.command("verify")
@store_option
def verify(store: str | None) -> int:
    """Compare everything stored with its checksum; remove what is damaged (exit status 1)."""
    from mmbench.errors import DamagedArtefactError
    from mmbench.store import store_at

    kept = store_at(store)
    checked = damaged = 0
    for key in list(kept):
        checked += 1
        try:
            kept.verify(key)
        except DamagedArtefactError:
            damaged += 1
            click.echo(f"damaged, removed: {key}")
    click.echo(f"{checked} results checked, {damaged} damaged")
    return 1 if damaged else 0
