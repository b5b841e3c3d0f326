"""What every registered encoder costs, one item at a time and in batches of 32.

``python -m benchmarks.speed.encoders [--device cuda]`` writes ``results/speed/encoders-cpu`` (or
``encoders-GPU``), csv and md. Every figure is measured in a process of its own, one at a time.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.speed.components import components, lacking, title
from benchmarks.speed.tables import write
from mmbench.blocks import TimingBlock
from mmbench.measurement.component import time_component
from mmbench.measurement.settings import every
from mmbench.measurement.table import make_timings

PRECISIONS = {
    "cpu": {"precisions": ["fp32"], "compile": ["none"]},
    "cuda": {"precisions": ["fp32", "bf16", "fp16"], "compile": ["none", "torch.compile"]},
}
SHOWN = {
    "encoder": "encoder",
    "batch_size": "batch",
    "precision": "precision",
    "compile": "compile",
    "latency_ms_p50": "p50 ms",
    "latency_ms_p50_low": "low",
    "latency_ms_p50_high": "high",
    "latency_ms_p99": "p99 ms",
    "throughput": "items/s",
    "stage_decode_ms": "decode ms",
    "stage_preprocess_ms": "prepare ms",
    "cold_load_ms": "load ms",
    "peak_memory_mb": "MiB",
    "peak_gpu_memory_mb": "GPU MiB",
    "parameters": "parameters",
    "flops_per_sample": "FLOP",
    "status": "status",
}
"""Columns of the page, and their heads; the csv has all."""

ITEMS = (
    "Made items: images are JPEG files of 500 × 375 pixels, texts have 24 words, sounds last 2 s, "
    "vectors have 64 numbers. A call decodes, prepares and encodes a batch, on one core. Times are "
    "of a call, with the 95 % confidence interval of the median. Weights of timm's networks are "
    "random. `python -m benchmarks.speed.encoders"
)


def rows(device: str, timing: dict[str, Any], only: str) -> Iterator[dict[str, Any]]:
    """Time one encoder after the other."""
    asked = TimingBlock.model_validate(
        {"scenarios": ["single-stream", "offline"], **PRECISIONS[device], **timing}
    )
    for entry, params in components("encoder"):
        name = title(entry, params)
        if only not in name or lacking(entry, params):
            continue
        for settings in every(asked, device, threads=1):
            row = time_component(("encoder", entry.name, "", params, (), device), settings)
            if row["status"] == "skipped":
                continue
            told = f"{settings.scenario} {settings.precision} {settings.compile}"
            print(f"{name}, {told}: {row['status']} {row.get('reason', '')}", flush=True)
            yield {**row, "name": name}


def main() -> None:
    """Time all, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    parser.add_argument("--only", default="", metavar="TEXT", help="in the encoder's name")
    parser.add_argument("--min-repeats", type=int, default=500)
    parser.add_argument("--min-seconds", type=float, default=1.0)
    parser.add_argument("--max-seconds", type=float, default=30.0)
    asked = parser.parse_args()
    names = ("min_repeats", "min_seconds", "max_seconds")
    timing = {name: getattr(asked, name) for name in names}
    table = make_timings(rows(asked.device, timing, asked.only))
    table = table.rename(columns={"name": "encoder"}).dropna(axis="columns", how="all")
    table = table.loc[:, (table.astype(str) != "").any()]
    shown = table[[column for column in SHOWN if column in table]]
    usual = {"precision": "fp32", "compile": "none", "status": "ok"}
    shown = shown.drop(columns=[name for name, said in usual.items() if set(shown[name]) == {said}])
    warnings = sorted({text for told in table.get("warnings", ()) for text in told.split("; ")})
    disturbed = f" Meanwhile: {'; '.join(filter(None, warnings))}." if any(warnings) else ""
    text = f"{ITEMS} --device {asked.device}`{disturbed}"
    write("encoders", asked.device, table, shown.rename(columns=SHOWN), text, asked.out)


if __name__ == "__main__":
    main()
