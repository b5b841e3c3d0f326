"""Public multimodal sets, read in the layout in which they are published."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl

SETS = {
    "hateful-memes": (
        "hateful_memes:HatefulMemes",
        "Hateful Memes: image, text; from https://hatefulmemeschallenge.com",
    ),
    "food-101": (
        "food:Food101",
        "UPMC Food-101: image, text; from https://www.kaggle.com/datasets/gianmarco96/upmcfood101",
    ),
    "av-mnist": (
        "av_mnist:AVMNIST",
        "AV-MNIST: image, spectrogram; from https://github.com/pliang279/MultiBench",
    ),
    "crema-d": (
        "crema_d:CremaD",
        "CREMA-D: audio, video; from https://github.com/CheyneyComputerScience/CREMA-D",
    ),
    "meld": ("meld:Meld", "MELD: text, audio, video; from https://affective-meld.github.io"),
    "mustard": (
        "mustard:Mustard",
        "MUStARD: text, audio, video; from https://github.com/soujanyaporia/MUStARD",
    ),
}


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register the sets; each summary says where the files are to be had."""
    for name, (target, summary) in SETS.items():
        register(name, f"mmbench_sets.{target}", summary=summary)
