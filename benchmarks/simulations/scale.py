"""What the statistics of a run of 10,000 cells cost, with 10,000 test samples each.

``python -m benchmarks.simulations.scale FOLDER`` writes run after run into a folder, has a process
with one thread compute of each what `mmbench run` does at its end, and removes it again. Results go
to ``results/reference/simulations/scale.{csv,md}``; their ``load`` tells how busy the machine was,
on which wall time depends. It takes up to 9 GB of disk.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.simulations.__main__ import write
from mmbench.folder import RunFolder
from mmbench.pooled import Pool
from mmbench.results import METRICS, columns, make_table, metrics_of, summarise, write_predictions
from mmbench.standings import headline_metric, stand
from mmbench.statistics.intervals import wilson

N = 10_000
"""Test samples of a cell."""
MANY = (20, 30, 2, 8)
"""Image encoders, text encoders, fusions and heads of 10,000 combinations: each head on the
20 × 30 × 2 fused ones and the 50 single modalities."""
SOME = (8, 13, 1, 8)
"""Of 1,000."""
LAYOUTS = ((MANY, 2, 1), (MANY, 10, 1), (SOME, 2, 10))
"""The combinations, classes and seeds of runs of 10,000 cells."""
REFERENCE = Path("results/reference/simulations")


def combinations(images: int, texts: int, fusions: int, heads: int) -> Iterator[dict[str, str]]:
    """Return the axes of combinations."""
    for head, image, text, fusion in itertools.product(
        range(heads), range(-1, images), range(-1, texts), range(fusions)
    ):
        used = {"image": image, "text": text}
        names = [name for name, number in used.items() if number >= 0]
        if (len(names) < 2 and fusion) or not names:
            continue
        yield {
            "modalities": "+".join(names),
            **{f"encoder_{name}": f"{name}-{used[name]}" for name in names},
            "fusion": f"fusion-{fusion}" if len(names) > 1 else "none",
            "head": f"head-{head}",
        }


def make(folder: Path, sizes: tuple[int, int, int, int], classes: int, seeds: int) -> None:
    """Write the folder of a run that has predicted all its cells, but has not been closed.

    Methods have a part of their errors in common and are of unequal quality.
    """
    rng = np.random.default_rng([classes, seeds])
    truth = rng.integers(classes, size=N)
    hard, own = rng.normal(size=N), truth[:, np.newaxis] == np.arange(classes)
    quality: dict[str, float] = {}
    ids, names = [f"sample {i}" for i in range(N)], [f"class {i}" for i in range(classes)]
    out = RunFolder(folder)
    listed = itertools.product(combinations(*sizes), range(seeds))
    with out.claimed("scale"):
        out.write_json("environment.json", {"run": "scale"})
        out.write_json("metrics.json", {name: {} for name in METRICS})
        out.write_text("matrix.toml", 'name = "scale"\n')
        for number, (axes, seed) in enumerate(listed):
            parts = [axes[key] for key in axes if key != "modalities"]
            skill = 1 + np.mean([quality.setdefault(part, rng.normal() / 4) for part in parts])
            shown = rng.normal(size=(N, classes)) + own * (skill + hard)[:, np.newaxis]
            odds = np.exp(shown)
            probabilities = odds / odds.sum(axis=1, keepdims=True)
            cell = f"{number:016x}"
            write_predictions(folder, cell, ids, truth, probabilities, names)
            right = int((probabilities.argmax(axis=1) == truth).sum())
            low, high = wilson(right, N)
            row = {
                **{"cell": cell, "dataset": "data", "alignment": "none", "level": "", **axes},
                **{"encoders": "+".join(parts[:-2]), "params": "{}", "finetune": ""},
                **{"missing": "", "corruption": "", "train_size": "", "seed": seed, "fold": 0},
                **{"status": "ok", "reason": "", "n_test": N, "n_classes": classes},
                **{"accuracy": right / N, "accuracy_low": low, "accuracy_high": high},
            }
            out.append(row, "")


def close(folder: Path) -> tuple[pd.DataFrame, dict[str, float]]:
    """Do what a run does with its cells' predictions at its end; return its summary, and times."""
    start = time.perf_counter()
    rows = [record["row"] for record in RunFolder(folder).journal().values()]
    table = make_table(rows, columns(["encoder_image", "encoder_text"]))
    table.attrs["folder"] = str(folder)
    pool = Pool(folder, (), metrics_of(table), headline_metric(table))
    begun = time.perf_counter()
    stand(table, pool)
    stood = time.perf_counter()
    summary = summarise(table, pool=pool)
    end = time.perf_counter()
    return summary, {
        "read s": begun - start,
        "stand s": stood - begun,
        "summarise s": end - stood,
        "rank groups": int(summary["rank_group"].max()),
    }


def measured(folder: Path) -> dict[str, float]:
    """Close a run in a process of its own, with one thread; its whole life is timed."""
    command = [sys.executable, "-m", "benchmarks.simulations.scale", "--close", str(folder)]
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    load, start, spent = os.getloadavg()[0], time.perf_counter(), _spent()
    done = subprocess.run(
        command, env={**os.environ, **threads}, stdout=subprocess.PIPE, check=True
    )
    wall, cpu = time.perf_counter() - start, _spent() - spent
    told = {"wall s": wall, "cpu s": cpu, **json.loads(done.stdout), "load": load}
    return {name: round(value, 2) for name, value in told.items()}


def _spent() -> float:
    """Return the CPU time that ended child processes have spent."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def simulate(folder: Path) -> Iterator[dict[str, Any]]:
    """Measure runs of which nothing is known but their predictions."""
    for sizes, classes, seeds in LAYOUTS:
        run = folder / "run"
        try:
            make(run, sizes, classes, seeds)
            named = {"combinations": sum(1 for _ in combinations(*sizes)), "seeds": seeds}
            yield {**named, "classes": classes, **measured(run)}
        finally:
            shutil.rmtree(run, ignore_errors=True)


def main() -> None:
    """Run all, or close one run."""
    if sys.argv[1] == "--close":
        _, told = close(Path(sys.argv[2]))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(json.dumps({**told, "peak memory MB": peak / 1e6}))
        return
    write("scale", simulate(Path(sys.argv[1])), REFERENCE)


if __name__ == "__main__":
    main()
