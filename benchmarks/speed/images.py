"""Embedding JPEG files against timm and a DataLoader: ``python -m benchmarks.speed.images``.

Random weights, files of 500 × 375 pixels. The plain way is timm's transform, a `DataLoader` with
two workers and the network in evaluation mode and float32; mmbench's is what its embedding job
does: items decoded by the data set, given to the encoder in chunks. A round of the plain way
starts its workers anew, as a script does that is run once.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.sidebyside import ROUNDS, by_turns, figures
from benchmarks.speed.tables import write

IMAGES, BATCH, WORKERS = 96, 32, 2
WIDTH, HEIGHT = 500, 375
MODELS = ("resnet18", "vit_tiny_patch16_224")
TARGETS = {"fp32": 1.4, "bf16": 2.5}
COSINES = {"fp32": 0.9999, "bf16": 0.999}
"""The least that the cosine of an embedding to the plain one may be."""


CORES = (1, 2)


@contextmanager
def limited(cores: int) -> Iterator[None]:
    """Keep this process and its children to some cores, and torch to one thread."""
    import torch

    everywhere, threads = os.sched_getaffinity(0), torch.get_num_threads()
    os.sched_setaffinity(0, sorted(everywhere)[-cores:])
    torch.set_num_threads(1)
    try:
        yield
    finally:
        os.sched_setaffinity(0, everywhere)
        torch.set_num_threads(threads)


def make_images(folder: Path) -> None:
    """Write smooth random textures of two classes as JPEG files, the same in every run."""
    from PIL import Image

    generator = np.random.default_rng(0)
    for number in range(IMAGES):
        coarse = generator.integers(0, 256, (HEIGHT // 5, WIDTH // 5, 3), dtype=np.uint8)
        part = folder / "ab"[number % 2]
        part.mkdir(exist_ok=True)
        image = Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        image.save(part / f"{number:04}.jpg", quality=90)


class Plain:
    """Features as timm's documentation extracts them, with a `DataLoader`."""

    def __init__(self, folder: Path, model: str) -> None:
        import timm
        import torch

        torch.manual_seed(0)
        self.network = timm.create_model(model, num_classes=0).eval()
        data: Any = timm.data
        config = data.resolve_model_data_config(self.network)
        self.transform = data.create_transform(**config, is_training=False)
        self.files = sorted(folder.rglob("*.jpg"))

    def __len__(self) -> int:
        """Return the number of files."""
        return len(self.files)

    def __getitem__(self, index: int) -> Any:
        """Return an image as the network takes it."""
        from PIL import Image

        return self.transform(Image.open(self.files[index]).convert("RGB"))

    def __call__(self) -> np.ndarray:
        """Embed all files."""
        import torch

        dataset: Any = self
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.filterwarnings("ignore", "This DataLoader will create")  # on one core
            loader: Any = torch.utils.data.DataLoader(dataset, BATCH, num_workers=WORKERS)
            return torch.cat([self.network(batch) for batch in loader]).numpy()


class Ours:
    """Features as mmbench's embedding job makes them."""

    def __init__(self, folder: Path, model: str, precision: str) -> None:
        from mmbench_datasets.folder import ImageFolder
        from mmbench_timm.encoder import TimmEncoder

        self.items = ImageFolder(folder).items("image")
        options: Any = {"model": model, "precision": precision}
        self.encoder = TimmEncoder(pretrained=False, **options)

    def __call__(self) -> np.ndarray:
        """Embed all files."""
        from mmbench.embedding import CHUNK

        chunks = (
            [self.items[i] for i in range(start, min(start + CHUNK, len(self.items)))]
            for start in range(0, len(self.items), CHUNK)
        )
        return np.concatenate([self.encoder.encode(chunk) for chunk in chunks])


def race(
    folder: Path,
    model: str,
    precision: str,
    cores: int,
    rounds: int = ROUNDS,
    benchmark: Any = None,
) -> tuple[dict[str, Any], float]:
    """Measure both by turns; return the row, and the least cosine between their embeddings."""
    with limited(cores):
        ours, theirs = by_turns(
            Ours(folder, model, precision),
            Plain(folder, model),
            rounds,
            benchmark,
        )
    a, b = (side.answer.astype(np.float64) for side in (ours, theirs))
    cosine = float(((a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)).min())
    row = {"model": model, "precision": precision, "cores": cores}
    told = {**row, **figures(ours, theirs, TARGETS[precision]), "cosine": cosine}
    return told, cosine


def main() -> None:
    """Write ``images-cpu``, csv and md."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    asked = parser.parse_args()
    before = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        make_images(Path(folder))
        rows = []
        for cores in CORES:
            for model in MODELS:
                for precision in TARGETS:
                    row, cosine = race(Path(folder), model, precision, cores, asked.rounds)
                    assert cosine >= COSINES[precision], row
                    print(row, flush=True)
                    rows.append(row)
    text = (
        f"{IMAGES} JPEG files of {WIDTH} × {HEIGHT} pixels, random weights: seconds of mmbench and "
        f"of timm's own transform with a `DataLoader` of {WORKERS} workers, in batches of {BATCH} "
        "and in float32 (in the rows of bf16, too), by turns in one run "
        "(`python -m benchmarks.speed.images`). Both compute with one thread. In rows of one core "
        "all processes of a side share it; in rows of two the workers of the plain side may use "
        "the other core, and mmbench has nothing to do there. `ratio` is that of the medians, "
        "`low` and `high` are its extremes over rounds, `cpu_ratio` is that of processor time; "
        "`1 - cosine` is the greatest over files, of the two sides' embeddings. Load of the "
        f"machine before and after: {before:.1f} and {os.getloadavg()[0]:.1f}; where it is more "
        "than the cores of a row, other work took part of them, and `cpu_ratio` is the steadier "
        "figure."
    )
    table = pd.DataFrame(rows)
    shown = table.assign(**{"1 - cosine": 1 - table["cosine"]}).drop(columns="cosine")
    write("images", "cpu", table, shown, text, asked.out)


if __name__ == "__main__":
    main()
