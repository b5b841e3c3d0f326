"""``mmbench plan``: what a matrix file would do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mmbench.cli.options import matrix_options

MOST_CLASSES = 12


@click.command("plan")
@matrix_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, store: str | None, device: str, as_json: bool, **options: Any) -> None:
    """Show the cells and jobs of the matrix FILE, and what of them is stored. Runs nothing."""
    from mmbench.environment import resolve_device
    from mmbench.planning import make_plan
    from mmbench.store import store_at

    plan = make_plan(file, device=resolve_device(device), **options)
    described = plan.to_dict(store_at(store))
    if as_json:
        click.echo(json.dumps(described, indent=2, ensure_ascii=False))
        return
    click.echo(_text(described, plan.products))


def _text(plan: dict[str, Any], products: list[str]) -> str:
    jobs, estimate = plan["jobs"], plan["estimate"]
    kinds = ", ".join(f"{n} {kind}" for kind, n in jobs["by_kind"].items())
    lines = [
        f"{plan['name']}: {plan['cells']} cells, {jobs['total']} jobs, {jobs['stored']} stored",
        *(f"  {line}" for line in products),
        f"  jobs: {kinds}" if kinds else "  no jobs",
    ]
    for dataset in plan["datasets"]:
        lines += _dataset(dataset)
    lines += [f"left out: {row['cells']} cells: {row['reason']}" for row in plan["left_out"]]
    lines += [f"note: {note}" for note in plan["notes"]]
    if estimate["jobs_known"]:
        lines.append(
            f"estimate: {estimate['seconds']:.1f} s of work on one core and "
            f"{estimate['bytes'] / 1e6:.1f} MB for {estimate['jobs_known']} jobs, from like ones"
        )
    if estimate["jobs_unknown"]:
        lines.append(f"no estimate for {estimate['jobs_unknown']} jobs: none like them is stored")
    return "\n".join(lines)


def _dataset(dataset: dict[str, Any]) -> list[str]:
    counts = dataset["classes"]
    shown = ", ".join(f"{name} {n}" for name, n in list(counts.items())[:MOST_CLASSES])
    more = f", ... ({len(counts)} in all)" if len(counts) > MOST_CLASSES else ""
    groups = f", {dataset['groups']} groups" if dataset["groups"] else ""
    lines = [
        f"{dataset['name']}: {dataset['samples']} samples, {len(counts)} classes{groups}",
        f"  classes: {shown}{more}",
    ]
    for name, modality in dataset["modalities"].items():
        missing = f", {modality['missing']} missing" if modality["missing"] else ""
        lines.append(f"  {name}: {modality['kind']}{missing}")
    return lines + [f"  {problem}" for problem in dataset["problems"]]
