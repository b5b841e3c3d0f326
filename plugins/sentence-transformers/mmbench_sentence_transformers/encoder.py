"""The encoder ``sentence-transformers``: one vector per text or image."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from mmbench_hub import cause, content, pinned
from mmbench_hub.batches import TEXTS, TOKENS, in_length_order
from pydantic import Field

from mmbench import Sequences, rgb, stage
from mmbench_sentence_transformers.packages import packaged

if TYPE_CHECKING:
    import torch
    from PIL import Image
    from sentence_transformers import SentenceTransformer

    from mmbench_sentence_transformers.module import SentenceModule

PACKAGE = "package:"


class SentenceEncoder:
    """Embeddings of a model of sentence-transformers, frozen or fine-tuned: of texts, or of images.

    The model's own modules (pooling, normalising) apply, and its default prompt where none is
    given. Models of images and texts (CLIP) embed both in one space; an image of any mode is made
    RGB.

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
    prompt : str, optional
        Put before every text (``"query: "``).
    prompt_name : str, optional
        The name of one of the model's own prompts, instead of ``prompt``.
    max_length : int, optional
        Tokens after which a text is cut, instead of the model's own number.
    truncate : int, optional
        Columns that are kept, for models trained so that the first ones suffice (Kusupati et al.,
        "Matryoshka representation learning", NeurIPS 2022). Cut before normalising.
    precision : {"fp32", "bf16", "fp16"}, default "fp32"
        Of weights and computation; embeddings are float32 whatever it is.
    batch_size : int, default 32
        Items computed at once, at most, the shortest texts first; on a CPU also no more than 1,024
        tokens.
    trust_remote_code : bool, default False
        Whether Python code that the model brings along is run; if so, ``params`` says
        ``code: remote``.
    device : {"cpu", "cuda"}, default "cpu"
        Given by mmbench.
    threads : int, default 1
        Given by mmbench.

    Raises
    ------
    FileNotFoundError
        If there is no such model: neither here nor, within reach, on the hub.
    ValueError
        If not exactly one of ``model`` and ``folder`` is given, or the model has no such prompt,
        fewer columns or tokens, or does not take images.
        By `module`, if the model cannot be trained on texts as tensors alone.
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
        prompt: str | None = None,
        prompt_name: str | None = None,
        max_length: Annotated[int, Field(ge=1)] | None = None,
        truncate: Annotated[int, Field(ge=1)] | None = None,
        precision: Literal["fp32", "bf16", "fp16"] = "fp32",
        batch_size: int = 32,
        trust_remote_code: bool = False,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.model = model
        self.folder = folder
        self.normalise = normalise
        self.prompt = prompt
        self.prompt_name = prompt_name
        self.max_length = max_length
        self.truncate = truncate
        self.precision = precision
        self.batch_size = batch_size
        self.trust_remote_code = trust_remote_code
        self.device = device
        self.threads = threads
        found = _local(model, folder)

        import torch
        from mmbench_hub.computing import computing

        from mmbench_sentence_transformers.module import SentenceModule

        if device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("device 'cuda' was asked for, but torch finds no CUDA device")
        torch.set_num_threads(threads)
        if threads == 1:
            os.environ["TOKENIZERS_PARALLELISM"] = "false"  # else it takes all cores
        loaded = (
            _from_hub(found, device, trust_remote_code)
            if isinstance(found, str)
            else _load(found, device, trust_remote_code=trust_remote_code)
        )
        kind = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        self._encoder = loaded.to(kind[precision]).eval()
        self._check()
        columns = self._encoder.truncate_dim if truncate is None else truncate
        self._module = SentenceModule(self._encoder, columns, normalise).eval()
        self._computing = computing(device)

    def _check(self) -> None:
        """Raise `ValueError` where an option asks for what the model has not."""
        encoder = self._encoder
        if self.prompt is not None and self.prompt_name is not None:
            raise ValueError("give either prompt or prompt_name")
        if self.prompt_name is not None and self.prompt_name not in encoder.prompts:
            known = ", ".join(map(repr, encoder.prompts)) or "none"
            raise ValueError(f"prompt_name = {self.prompt_name!r}: the model's prompts are {known}")
        columns = encoder.get_embedding_dimension()
        if self.truncate is not None and columns is not None and self.truncate > columns:
            raise ValueError(f"truncate = {self.truncate}: the model has {columns} columns")
        if self.max_length is not None:
            most = encoder.max_seq_length
            if most is not None and self.max_length > most:
                raise ValueError(f"max_length = {self.max_length}: the model takes {most} tokens")
            encoder.max_seq_length = self.max_length

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
            return content(found)
        try:
            return pinned(found)
        except Exception:  # the cells themselves say that the hub cannot be reached
            return found

    @classmethod
    def facts(
        cls, *, folder: Path | None = None, trust_remote_code: bool = False, **_: Any
    ) -> dict[str, str]:
        """Return what the table says: pretrained or the folder's name; whether code came along."""
        weights = {"weights": "pretrained" if folder is None else folder.name}
        return weights | ({"code": "remote"} if trust_remote_code else {})

    def encode(self, items: Sequence[str] | Sequence[Image.Image]) -> np.ndarray:
        """Embed texts, or images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d`` is the model's embedding dimension, or ``truncate``.
        """
        import torch

        rows: list[torch.Tensor] = [torch.empty(0)] * len(items)
        with torch.inference_mode(), self._computing:
            for places, features in self._batches(items):
                embedded = self._module(features)
                with stage("transfer"):
                    embedded = embedded.cpu()
                for place, row in zip(places, embedded, strict=True):
                    rows[place] = row
        stacked: np.ndarray = torch.stack(rows).numpy()
        return stacked

    def encode_sequence(self, items: Sequence[str]) -> Sequences:
        """Return the embeddings of each text's own tokens, those of a prompt included.

        Returns
        -------
        Sequences of float32, (tokens, d) each
            ``truncate`` and ``normalise`` apply to every token's.

        Raises
        ------
        ValueError
            If the model makes no embeddings of tokens.
        """
        import torch

        rows: list[np.ndarray] = [np.empty(0)] * len(items)
        with torch.inference_mode(), self._computing:
            for places, features in self._batches(items):
                tokens, own = self._module.tokens(features)
                with stage("transfer"):
                    tokens, own = tokens.cpu(), own.cpu()
                for place, text, there in zip(places, tokens, own, strict=True):
                    rows[place] = text[there].numpy()
        return Sequences.of(rows)

    def module(self) -> SentenceModule:
        """Return the model that `encode` uses, to be trained on texts.

        Returns
        -------
        torch.nn.Module
            Takes the batches of `collate`, returns the embeddings, (n, d) float32; in evaluation
            mode, the same object in every call. With a `precision` below fp32 its weights are of
            that precision.

        Raises
        ------
        ValueError
            If the model takes texts as chat messages, or chooses its way by what it is given.
        """
        first: Any = self._encoder[0]
        if hasattr(first, "sub_modules") or "message" in getattr(first, "modality_config", ()):
            raise ValueError(
                f"a model whose first part is {type(first).__name__} of {self._encoder.modalities} "
                "cannot be fine-tuned: it needs more than a text's tokens"
            )
        return self._module

    def collate(self, items: Sequence[str]) -> dict[str, torch.Tensor]:
        """Prepare texts as one batch of `module`, padded and masked, on the CPU.

        Returns
        -------
        dict of str to Tensor
            What the model takes.
        """
        import torch

        features = self._prepared(items)
        return {
            name: torch.as_tensor([value] if isinstance(value, int) else value)
            for name, value in features.items()
            if name != "modality"
        }

    @property
    def chunk(self) -> int:
        """How many items `encode` is given: many texts, fewer where they may be images."""
        return 64 if self._encoder.supports("image") else TEXTS

    def _prepared(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return what the model takes: texts with the prompt and padded to the longest, or pixels.

        Raises
        ------
        ValueError
            If the items are images and the model takes none.
        """
        model: Any = self._encoder
        if not isinstance(items[0], str):
            if not model.supports("image"):
                raise ValueError("the model takes no images")
            return dict(model.preprocess([rgb(item) for item in items]))
        name = self.prompt_name or model.default_prompt_name
        prompt = model.prompts.get(name) if self.prompt is None else self.prompt
        return dict(model.preprocess([_valid(item) for item in items], prompt=prompt))

    def _batches(self, items: Sequence[Any]) -> Iterator[tuple[Sequence[int], dict[str, Any]]]:
        """Prepare items, and give them in batches on the device, with their places.

        All texts are tokenised at once, and those of like length computed together, where the
        model has a mask that tells tokens from padding; else (static embeddings) all together.
        """
        from mmbench_sentence_transformers.module import MASK, trimmed

        if items and not isinstance(items[0], str):
            for start in range(0, len(items), self.batch_size):
                places = range(start, min(start + self.batch_size, len(items)))
                with stage("preprocess"):
                    pixels = self._prepared([items[place] for place in places])
                yield places, self._moved(pixels)
            return
        with stage("preprocess"):
            texts = self._prepared(items)
        if MASK not in texts:
            yield range(len(items)), self._moved(texts)
            return
        tokens = TOKENS if self.device == "cpu" else None
        for rows in in_length_order(texts[MASK].sum(dim=1).tolist(), self.batch_size, tokens):
            yield rows, self._moved(trimmed(texts, rows))

    def _moved(self, features: dict[str, Any]) -> dict[str, Any]:
        from sentence_transformers.util import batch_to_device

        with stage("transfer"):
            return batch_to_device(features, self._encoder.device)


def _valid(text: str) -> str:
    """Return a text with ``?`` for halves of surrogate pairs, which tokenisers refuse."""
    return text.encode(errors="replace").decode()


def _local(model: str | None, folder: Path | None) -> Path | str:
    """Return the model's folder, or its name where it is one of the hub's."""
    if (model is None) == (folder is None):
        raise ValueError("give either model = 'NAME' or folder = 'FOLDER'")
    if folder is not None:
        return folder
    assert model is not None
    if model.startswith(PACKAGE):
        return packaged(model.removeprefix(PACKAGE))
    path = Path(model).expanduser()
    return path if path.is_dir() else model


def _load(model: Path | str, device: str, **options: Any) -> SentenceTransformer:
    from sentence_transformers import SentenceTransformer

    options = {"local_files_only": True, **options}
    try:
        return SentenceTransformer(str(model), device=device, **options)
    except ValueError as error:
        if "trust_remote_code" not in str(error):
            raise
        raise ValueError(f"{model}: {cause(error)}") from error


def _from_hub(model: str, device: str, trust_remote_code: bool) -> SentenceTransformer:
    """Load a hub model, from the local cache where it is there."""
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    try:
        name, _, commit = pinned(model).partition("@")
        options: dict[str, Any] = {"revision": commit, "trust_remote_code": trust_remote_code}
        # Where only this file is out of reach, the library takes the model for a bare transformer.
        if try_to_load_from_cache(name, "modules.json", revision=commit) is None:
            with suppress(RemoteEntryNotFoundError):
                hf_hub_download(name, "modules.json", revision=commit)
        with suppress(OSError):
            return _load(name, device, **options)
        return _load(name, device, local_files_only=False, **options)
    except Exception as error:
        raise FileNotFoundError(
            f"no weights for {model!r}, neither in the hub cache nor from the hub "
            f"({cause(error)}); supply them by a cache that has them (HF_HOME), "
            "folder = 'FOLDER' or model = 'package:NAME'"
        ) from error
