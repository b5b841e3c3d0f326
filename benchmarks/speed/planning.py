"""How planning grows with the cells of a matrix, and a table of as many rows written and read.

A plan is ``mmbench plan``, a process of its own, on an empty store: its time is from its start to
its end, its memory the most that was resident. It is held against its floor: writing the specs of
as many jobs as JSON and hashing them, each by itself, by Python's ``json`` and ``hashlib``.

Run as ``python -m benchmarks.speed.planning`` to write ``results/speed/planning-cpu.{csv,md}`` and
``results/speed/table-cpu.{csv,md}``; a million cells take minutes and some gigabytes.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.speed import tables
from benchmarks.speed.sidebyside import ROUNDS

if TYPE_CHECKING:
    import pandas as pd

HERE = Path(__file__).parents[2]
ENCODERS = (1, 2, 3, 5, 10)
"""Encoders per modality: from 1,300 to 1,003,000 cells."""
MODALITIES = ("a", "b", "c")
FEATURE = ("concat", "product", "max", "mean", "random-projection")
DECISION = ("mean-probability", "product-rule", "max-rule", "vote", "stacking")
HEADS = ("random-forest", "naive-bayes", "k-nearest", "logistic-regression", "ridge")
PARTS = 20
"""Four seeds of five folds."""
SAMPLE = 10_000
"""Jobs whose specs are written and hashed for the floor."""
ROWS = 1_000_000
TARGETS = {"seconds": 60.0, "peak_gb": 4.0, "table_s": 20.0}
"""Of a million cells; of a table of a million rows, written and read."""

TEXT = """\
`mmbench plan` of three modalities with 1 to 10 encoders each (trained), 10 fusions, 5 heads, 4
seeds and 5 folds, on an empty store: medians of {rounds} rounds by turns, each plan a process of
its own, from its start to its end. `cpu_s` is its processor time, which other work on the machine
lengthens less; `peak_gb` the most memory resident (at least that of the process that starts it);
`exponent` that of `cpu_s` over the cells, from the row above to this one: below 1
where the start (`import`, plugins) still counts, and 1 where each cell costs the same.
`written_plainly_s` is what it takes to write the specs of as many jobs as JSON and to hash them,
each by itself, with Python's json and hashlib alone ({sample:,} of them measured). Targets for a
million cells: {seconds:g} s and {peak_gb:g} GB."""

TABLE_TEXT = """\
A table of {rows:,} cells with all figures: made of rows, written and read, medians of {rounds}
rounds. A run writes both files; the target, {table_s:g} s for parquet written and read back, leaves
csv aside."""


def matrix(folder: Path, encoders: int) -> dict[str, Any]:
    """Return a matrix with that many encoders per modality, on made vectors in a folder."""
    import numpy as np

    rng = np.random.default_rng(0)
    vectors = {m: rng.standard_normal((200, 16)) for m in MODALITIES}
    np.savez(folder / "made.npz", y=np.arange(200) % 4, **vectors)
    dataset = {
        "use": "arrays",
        "name": "made",
        "path": str(folder / "made.npz"),
        "label": "y",
        "modalities": {m: {"key": m, "kind": "vector"} for m in MODALITIES},
    }
    return {
        "name": "planning",
        "seeds": [0, 1, 2, 3],
        "datasets": [dataset],
        "encoders": {"vector": {"use": "pca", "components": list(range(2, 2 + encoders))}},
        "fusions": [*FEATURE, *DECISION],
        "heads": list(HEADS),
        "split": {"scheme": "kfold", "folds": 5},
    }


def expected(encoders: int) -> tuple[int, int]:
    """Return how many cells and jobs the matrix has, in closed form.

    Embeddings are a sum over encoders: one per part, and one per inner fold for stacking.
    """
    single, tuples, heads = len(MODALITIES) * encoders, encoders ** len(MODALITIES), len(HEADS)
    cells = PARTS * heads * (single + tuples * (len(FEATURE) + len(DECISION)))
    embeds = PARTS * single * (1 + 5)
    fits = PARTS * heads * (single + tuples * len(FEATURE))
    cross_fits = PARTS * heads * single
    decides = PARTS * heads * tuples * len(DECISION)
    return cells, embeds + fits + cross_fits + decides + cells


def plan(folder: Path, encoders: int) -> dict[str, Any]:
    """Plan in a process of its own; return what it took and how much it planned."""
    import tomli_w

    file = folder / f"planning-{encoders}.toml"
    file.write_text(tomli_w.dumps(matrix(folder, encoders)), encoding="utf-8")
    env = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    env |= {"PYTHONPYCACHEPREFIX": str(folder / "compiled"), "OMP_NUM_THREADS": "1"}
    arguments = ["plan", str(file), "--json", "--store", str(folder / "store")]
    began = time.perf_counter()
    with (folder / "plan.json").open("w") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mmbench", *arguments], stdout=said, env=env, cwd=HERE
        )
        _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)
    told = json.loads((folder / "plan.json").read_text())
    return {
        "cells": told["cells"],
        "jobs": told["jobs"]["total"],
        "seconds": seconds,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_gb": used.ru_maxrss * 1024 / 1e9,
    }


def floor(folder: Path, sample: int = SAMPLE) -> float:
    """Return what a job's key costs that is written and hashed by itself, in seconds."""
    from mmbench.planning import make_plan

    jobs = make_plan(matrix(folder, 2)).jobs()
    specs = [[job.kind, 1, "", job.spec] for job in itertools.islice(itertools.cycle(jobs), sample)]
    began = time.process_time()
    for spec in specs:
        text = json.dumps(spec, sort_keys=True, ensure_ascii=False)
        hashlib.sha256(text.encode()).hexdigest()
    return (time.process_time() - began) / sample


def curve(folder: Path, encoders: Sequence[int], rounds: int) -> pd.DataFrame:
    """Return the table of plans."""
    import pandas as pd

    plan(folder, encoders[0])  # modules are compiled
    made: dict[int, list[dict[str, Any]]] = {n: [] for n in encoders}
    floors = []
    for _ in range(rounds):
        for n in encoders:
            made[n].append(plan(folder, n))
        floors.append(floor(folder))
    rows: list[dict[str, Any]] = []
    for n, each in made.items():
        row = {key: statistics.median(one[key] for one in each) for key in each[0]}
        row |= {"slowest_s": max(one["seconds"] for one in each)}
        row |= {"us_per_cell": row["cpu_s"] / row["cells"] * 1e6}
        row |= {"exponent": _exponent(rows[-1], row) if rows else math.nan}
        row |= {"written_plainly_s": statistics.median(floors) * row["jobs"]}
        rows.append({"encoders": n, **row})
    return pd.DataFrame(rows).round(3)


def _exponent(before: Mapping[str, float], row: Mapping[str, float]) -> float:
    return math.log(row["cpu_s"] / before["cpu_s"]) / math.log(row["cells"] / before["cells"])


def rows(number: int) -> Iterator[dict[str, Any]]:
    """Return rows of cells with all figures, as a run keeps them."""
    import numpy as np

    from mmbench.results import COSTS, METRICS

    told = {
        "dataset": "made", "modalities": "a+b", "encoders": "pca+pca", "encoder_a": "pca",
        "encoder_b": "pca", "alignment": "none", "fusion": "concat", "level": "feature",
        "head": "naive-bayes", "finetune": "", "missing": "", "corruption": "", "train_size": "",
        "status": "ok", "reason": "", "n_train": 160, "n_test": 40, "n_classes": 4,
        "mmbench_version": "0.1.0", "started": "2026-01-01T00:00:00+00:00",
    }  # fmt: skip
    rng = np.random.default_rng(0)
    for i in range(number):
        figures = dict(zip((*METRICS, *COSTS), rng.random(14).tolist(), strict=True))
        params = json.dumps({"encoder.a": {"components": i // 20}})
        key = hashlib.sha256(str(i).encode()).hexdigest()[:16]
        yield told | {"cell": key, "params": params, "seed": i % 4, "fold": i % 5} | figures


def table(folder: Path, number: int = ROWS) -> dict[str, float]:
    """Make, write and read a table of that many rows; return what each took, in seconds.

    Raises
    ------
    AssertionError
        What is read is not what was written.
    """
    import pandas as pd

    from mmbench.results import columns, make_table, read_results, write_table

    listed = list(rows(number))
    took, last = {"rows": number}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal last
        took[name] = time.perf_counter() - last
        last = time.perf_counter()

    made = make_table(listed, columns(["encoder_a", "encoder_b"]))
    lap("make_s")
    made.to_parquet(folder / "cells.parquet", index=False)
    lap("write_parquet_s")
    read = read_results(folder)
    lap("read_parquet_s")
    read.attrs = {}
    pd.testing.assert_frame_equal(read, made, check_exact=True)
    last = time.perf_counter()
    write_table(made, folder)
    lap("write_parquet_and_csv_s")
    took["parquet_mb"] = (folder / "cells.parquet").stat().st_size / 1e6
    took["csv_mb"] = (folder / "cells.csv").stat().st_size / 1e6
    return took


def main() -> None:
    """Write the tables."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--encoders", type=int, nargs="+", default=ENCODERS, help="per modality")
    parser.add_argument("--rows", type=int, default=ROWS, help="of the table")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        plans = curve(Path(folder), given.encoders, given.rounds)
        text = TEXT.format(rounds=given.rounds, sample=SAMPLE, **TARGETS)
        tables.write("planning", "cpu", plans, plans, text, given.out)
        made = pd.DataFrame([table(Path(folder), given.rows) for _ in range(given.rounds)])
    medians = made.median().to_frame().T.round(3)
    text = TABLE_TEXT.format(rounds=given.rounds, rows=given.rows, **TARGETS)
    tables.write("table", "cpu", medians, medians, text, given.out)


if __name__ == "__main__":
    main()
