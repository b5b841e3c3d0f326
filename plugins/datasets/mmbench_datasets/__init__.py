"""Data sets in layouts that many use: class folders, arrays, and those that libraries bring."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register ``image-folder``, ``arrays``, ``sklearn``, ``huggingface`` and ``multabench``."""
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
    register(
        "multabench",
        "mmbench_datasets.multabench:MulTaBench",
        summary="Tables with texts or images: 40 classification sets of the package multabench",
    )
