"""Tables of the speed suite as files: csv for programs, md for people, with the machine."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def write(
    name: str, device: str, table: pd.DataFrame, shown: pd.DataFrame, text: str, folder: Path
) -> None:
    """Write ``NAME-cpu`` or ``NAME-GPU``: the table as csv, and what is shown of it as md."""
    from mmbench.environment import machine

    told = machine()
    gpu = _gpu() if device == "cuda" else ""
    stem = f"{name}-{_slug(gpu) if gpu else 'cpu'}"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / f"{stem}.csv", index=False, lineterminator="\n")
    figures = shown.select_dtypes("number").columns
    shown = shown.assign(**{column: shown[column].map(_number) for column in figures})
    sides = ["right" if column in figures else "left" for column in shown]
    page = shown.to_markdown(index=False, disable_numparse=True, colalign=sides)
    versions = ", ".join(
        f"{library} {metadata.version(library)}" for library in ("mmbench", "torch", "numpy")
    )
    where = f"{told['processor']}, {told['cores']} cores, {told['memory_gib']} GiB"
    machine_line = f"Machine: {', '.join(filter(None, (where, gpu)))}. {versions}."
    lines = [f"# {stem}", text, machine_line, page]
    (folder / f"{stem}.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")
    print(page)


def _number(value: float) -> str:
    """Return four digits and no exponent; nothing where there is no figure."""
    import numpy as np
    import pandas as pd

    if pd.isna(value):
        return ""
    if float(value).is_integer():
        return f"{int(value):,}"
    return (
        f"{value:,.0f}"
        if abs(value) >= 1000
        else np.format_float_positional(value, precision=4, fractional=False, trim="-")
    )


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name()


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
