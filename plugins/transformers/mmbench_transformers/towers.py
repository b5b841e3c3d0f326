"""The encoders ``two-tower-text``, ``-image`` and ``-audio``: one tower each of a joint model."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from mmbench_hub.batches import TEXTS, TOKENS

from mmbench_transformers.checkpoint import Checkpoint, Precision
from mmbench_transformers.encoder import FrozenEncoder, ready, towers
from mmbench_transformers.preparing import Images, Sounds, Texts

if TYPE_CHECKING:
    from mmbench_transformers.module import Tower


class _Tower(FrozenEncoder):
    """One tower of a frozen model that has several into one space (CLIP, SigLIP, CLAP)."""

    kind: ClassVar[str]
    _module: Tower

    def __init__(
        self,
        *,
        model: str | None = None,
        folder: Path | None = None,
        revision: str | None = None,
        normalise: bool = False,
        precision: Precision = "fp32",
        batch_size: int = 32,
        pretrained: bool = True,
        initialisation: int = 0,
        trust_remote_code: bool = False,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        from mmbench_transformers.module import Tower

        self.model = model
        self.folder = folder
        self.revision = revision
        self.normalise = normalise
        self.precision = precision
        self.batch_size = batch_size
        self.pretrained = pretrained
        self.initialisation = initialisation
        self.trust_remote_code = trust_remote_code
        self.device = device
        self.threads = threads
        self._checkpoint = Checkpoint(
            model, folder, revision, pretrained, initialisation, trust_remote_code
        )
        ready(device, threads, batch_size)
        network = _shared(self._checkpoint, self._checkpoint.identity(), precision, device)
        found = towers(network)
        if self.kind not in found:
            has = f"only {' and '.join(found)}" if found else "nor is it a model of two"
            name, made = self._checkpoint.name, type(network).__name__
            raise ValueError(f"{name} has no tower for {self.kind}, {has} ({made})")
        self._module = Tower(network, normalise, self.kind).eval()
        self._is_own = False
        self._prepare = self._preparer()

    @abstractmethod
    def _preparer(self) -> Texts | Images | Sounds:
        """Return what turns items into what the tower takes."""

    def module(self) -> Tower:
        """Return this tower alone, with weights of its own, as `FrozenEncoder.module` does.

        Other encoders of the same model keep those that were read.
        """
        if not self._is_own:
            self._module = self._module.alone()
            self._is_own = True
        return self._module


class TextTower(_Tower):
    """Text embeddings of a frozen two-tower model, in one space with its other tower's.

    Longer texts are cut where the model cuts them. The towers of one model share its weights: it is
    read once in a process, as long as no other two-tower model is read in between.

    Parameters
    ----------
    model : str, optional
        A model on the Hugging Face hub (``openai/clip-vit-base-patch32``).
    folder : Path, optional
        A folder that ``save_pretrained`` wrote, its processor too, instead of ``model``; in a
        matrix file, relative to it.
    revision : str, optional
        Branch, tag or commit of ``model``.
    normalise : bool, default False
        Whether embeddings are scaled to length 1 (CLAP's are in any case).
    precision : {"fp32", "bf16", "fp16"}, default "fp32"
        What weights are held and states computed in.
    batch_size : int, default 32
        Items computed at once.
    pretrained : bool, default True
        Whether the weights are read, or drawn at random as the configuration says.
    initialisation : int, default 0
        Seed of random weights, the same in every cell.
    trust_remote_code : bool, default False
        Whether code that the model brings along is run; if so, ``params`` says ``code: remote``.
    device : {"cpu", "cuda"}, default "cpu"
        Given by mmbench.
    threads : int, default 1
        Given by mmbench.

    Raises
    ------
    FileNotFoundError
        If there is no such model: neither here nor, within reach, on the hub.
    ValueError
        If it has no tower of this kind, or its files cannot be read.
    RuntimeError
        If there is no CUDA device where one was asked for.

    References
    ----------
    CLIP: Radford et al., "Learning transferable visual models from natural language supervision",
    ICML 2021. SigLIP: Zhai et al., "Sigmoid loss for language image pre-training", ICCV 2023.
    CLAP: Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
    keyword-to-caption augmentation", ICASSP 2023.
    """

    kind = "text"
    tokens = TOKENS
    chunk = TEXTS

    def _preparer(self) -> Texts:
        return Texts(self._checkpoint, self._module.network, None, self.threads)


class ImageTower(_Tower):
    """Image embeddings of a frozen two-tower model, in one space with its other tower's.

    Images of any mode are turned as their EXIF orientation says, made RGB, and prepared by the
    model's own image processor.

    Parameters
    ----------
    model, folder, revision, pretrained, initialisation, trust_remote_code
        Which model, as of `TextTower`.
    normalise, precision, batch_size, device, threads
        How it is computed, as of `TextTower`.
    """

    kind = "image"

    def _preparer(self) -> Images:
        return Images(self._checkpoint)


class AudioTower(_Tower):
    """Audio embeddings of a frozen two-tower model, in one space with its other tower's.

    A sound becomes mono (the mean of its channels) and is resampled to the model's rate. Of one
    longer than the model takes (CLAP: 10 s), the part is drawn that a generator of seed 0 draws.

    Parameters
    ----------
    model, folder, revision, pretrained, initialisation, trust_remote_code
        Which model, as of `TextTower`.
    normalise, precision, batch_size, device, threads
        How it is computed, as of `TextTower`.
    """

    kind = "audio"

    def _preparer(self) -> Sounds:
        return Sounds(self._checkpoint)


@lru_cache(maxsize=1)
def _shared(checkpoint: Checkpoint, identity: str, precision: Precision, device: str) -> Any:
    """Return the model that all its towers share; ``identity`` tells when its files change."""
    return checkpoint.network(precision).to(device)
