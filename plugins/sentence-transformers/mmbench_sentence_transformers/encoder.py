"""The encoder ``sentence-transformers``: one vector per text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mmbench_sentence_transformers import identity

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

PACKAGE = "package:"


class SentenceEncoder:
    """Sentence embeddings of a frozen model of sentence-transformers, computed in float32.

    The model's own modules (pooling, normalising) and default prompt apply. Code that a model
    brings along is never run.

    Parameters
    ----------
    model : str, optional
        A model on the Hugging Face hub (``sentence-transformers/all-MiniLM-L6-v2``), with
        ``@REVISION`` if wanted; or ``package:NAME``, an installed Python package that holds a
        model; or a folder, relative to the working directory.
    folder : Path, optional
        A folder that ``SentenceTransformer.save`` wrote, instead of ``model``; in a matrix file,
        relative to it.
    normalise : bool, default False
        Whether embeddings are scaled to length 1.
    batch_size : int, default 32
        Texts computed at once.
    device : {"cpu", "cuda"}, default "cpu"
        Given by mmbench.
    threads : int, default 1
        Given by mmbench.

    Raises
    ------
    FileNotFoundError
        If there is no such model: neither here nor, within reach, on the hub.
    ValueError
        If not exactly one of ``model`` and ``folder`` is given.
    RuntimeError
        If there is no CUDA device where one was asked for.

    References
    ----------
    Reimers and Gurevych, "Sentence-BERT: sentence embeddings using Siamese BERT-networks",
    EMNLP-IJCNLP 2019.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        folder: Path | None = None,
        normalise: bool = False,
        batch_size: int = 32,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.model = model
        self.folder = folder
        self.normalise = normalise
        self.batch_size = batch_size
        self.device = device
        self.threads = threads
        found = _local(model, folder)

        import torch

        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("device 'cuda' was asked for, but torch finds no CUDA device")
        torch.set_num_threads(threads)
        if threads == 1:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else it takes all cores
        loaded = _from_hub(found, device) if isinstance(found, str) else _load(found, device)
        self._encoder = loaded.float().eval()

    @classmethod
    def cache_key(cls, *, model: str | None = None, folder: Path | None = None, **_: Any) -> str:
        """Return the identity of the weights: the hash of local files, or the hub commit.

        A hub model that is not in the local cache is looked up on the hub; if it cannot be
        reached, the identity is the model's name.

        Raises
        ------
        FileNotFoundError
            If a local folder or package is not there.
        ValueError
            If not exactly one of ``model`` and ``folder`` is given.
        """
        found = _local(model, folder)
        if isinstance(found, Path):
            return identity.content(found)
        try:
            return identity.pinned(found)
        except Exception:  # the cells themselves say that the hub cannot be reached
            return found

    @classmethod
    def facts(cls, *, folder: Path | None = None, **_: Any) -> dict[str, str]:
        """Return what the table says of the weights: pretrained, or the folder's name."""
        return {"weights": "pretrained" if folder is None else folder.name}

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` is the model's embedding dimension.
        """
        embedded: np.ndarray = self._encoder.encode(
            list(items),
            batch_size=self.batch_size,
            normalize_embeddings=self.normalise,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return embedded


def _local(model: str | None, folder: Path | None) -> Path | str:
    """Return the model's folder, or its name where it is one of the hub's."""
    if (model is None) == (folder is None):
        raise ValueError("give either model = 'NAME' or folder = 'FOLDER'")
    if folder is not None:
        return folder
    assert model is not None
    if model.startswith(PACKAGE):
        return identity.packaged(model.removeprefix(PACKAGE))
    path = Path(model).expanduser()
    return path if path.is_dir() else model


def _load(model: Path | str, device: str, **options: Any) -> SentenceTransformer:
    from mmbench_sentence_transformers.model import StagedSentenceTransformer

    options = {"local_files_only": True, **options}
    return StagedSentenceTransformer(str(model), device=device, trust_remote_code=False, **options)


def _from_hub(model: str, device: str) -> SentenceTransformer:
    """Load a hub model, from the local cache where it is there."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        name, _, commit = identity.pinned(model).partition("@")
        # Where only this file is out of reach, the library takes the model for a bare transformer.
        if try_to_load_from_cache(name, "modules.json", revision=commit) is None:
            with suppress(RemoteEntryNotFoundError):
                hf_hub_download(name, "modules.json", revision=commit)
        with suppress(OSError):
            return _load(name, device, revision=commit)
        return _load(name, device, revision=commit, local_files_only=False)
    except Exception as error:
        cause = " ".join(f"{type(error).__name__}: {error}".split())
        cause = cause if len(cause) <= 160 else f"{cause[:157]}..."
        raise FileNotFoundError(
            f"no weights for {model!r}, neither in the hub cache nor from the hub ({cause}); "
            "supply them by a cache that has them (HF_HOME), folder = 'FOLDER' or "
            "model = 'package:NAME'"
        ) from error
