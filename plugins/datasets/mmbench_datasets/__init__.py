"""Data sets in layouts that many use: class folders, array files, scikit-learn's, the hub's."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register ``image-folder``, ``arrays``, ``sklearn`` and ``huggingface``."""
    register(
        "image-folder",
        "mmbench_datasets.folder:ImageFolder",
        summary="Images in a folder with a sub-folder per class",
    )
    register(
        "arrays",
        "mmbench_datasets.arrays:Arrays",
        summary="An array per modality, in npz, npy or mat files",
    )
    register(
        "sklearn",
        "mmbench_datasets.bundled:Bundled",
        summary="The sets that come with scikit-learn: iris, wine, breast_cancer, digits",
    )
    register(
        "huggingface",
        "mmbench_datasets.huggingface:HuggingFace",
        summary="Sets of the Hugging Face hub, and folders that the library datasets reads",
    )
