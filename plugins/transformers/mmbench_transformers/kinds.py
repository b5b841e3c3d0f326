"""The encoders ``transformers-text``, ``transformers-image`` and ``transformers-audio``."""

from __future__ import annotations

from pathlib import Path

from mmbench_hub.batches import TEXTS, TOKENS

from mmbench_transformers.checkpoint import Precision
from mmbench_transformers.pooling import Pooling
from mmbench_transformers.preparing import Images, Sounds, Texts
from mmbench_transformers.single import SingleTransformer


class TextTransformer(SingleTransformer):
    """Pooled hidden states of a frozen text model; of an encoder-decoder, its encoder's.

    Texts are tokenised by the model's own tokeniser and padded on the right; padding is masked. A
    text without any token is one begin (or end) token.

    Parameters
    ----------
    model : str, optional
        A model on the Hugging Face hub (``google-bert/bert-base-uncased``).
    folder : Path, optional
        A folder that ``save_pretrained`` wrote, its tokeniser too, instead of ``model``; in a
        matrix file, relative to it.
    revision : str, optional
        Branch, tag or commit of ``model``.
    pooling : {"cls", "mean", "last", "pooler"}, default "mean"
        The first token's state, the mean of all tokens', the last token's, or what the model
        itself makes of the first (``pooler_output``).
    layer : int, optional
        Which hidden states: 0 before the first layer, 1 after it, -1 after the last. Default:
        the model's output, which may have been normalised once more.
    max_length : int, optional
        Tokens that are kept, the tokeniser's own included. Default: as many as the model takes.
    normalise : bool, default False
        Whether embeddings are scaled to length 1.
    precision : {"fp32", "bf16", "fp16"}, default "fp32"
        What weights are held and states computed in; pooling is in float32.
    batch_size : int, default 32
        Texts computed at once, at most, the shortest first; on a CPU also no more than 1,024
        tokens.
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
        If it is no text model, or its files cannot be read.
    RuntimeError
        If there is no CUDA device where one was asked for.

    References
    ----------
    Wolf et al., "Transformers: state-of-the-art natural language processing", EMNLP 2020.
    """

    kind = "text"
    tokens = TOKENS
    chunk = TEXTS

    def __init__(
        self,
        *,
        model: str | None = None,
        folder: Path | None = None,
        revision: str | None = None,
        pooling: Pooling = "mean",
        layer: int | None = None,
        max_length: int | None = None,
        normalise: bool = False,
        precision: Precision = "fp32",
        batch_size: int = 32,
        pretrained: bool = True,
        initialisation: int = 0,
        trust_remote_code: bool = False,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.max_length = max_length
        super().__init__(
            model=model,
            folder=folder,
            revision=revision,
            pooling=pooling,
            layer=layer,
            normalise=normalise,
            precision=precision,
            batch_size=batch_size,
            pretrained=pretrained,
            initialisation=initialisation,
            trust_remote_code=trust_remote_code,
            device=device,
            threads=threads,
        )
        self._prepare = Texts(self._checkpoint, self._module.network, max_length, threads)


class ImageTransformer(SingleTransformer):
    """Pooled hidden states of a frozen image model.

    Images of any mode are turned as their EXIF orientation says, made RGB, and prepared by the
    model's own image processor.

    Parameters
    ----------
    model : str, optional
        A model on the Hugging Face hub (``facebook/dinov2-base``).
    folder : Path, optional
        A folder that ``save_pretrained`` wrote, its image processor too, instead of ``model``; in
        a matrix file, relative to it.
    revision : str, optional
        Branch, tag or commit of ``model``.
    pooling : {"cls", "mean", "last", "pooler"}, default "cls"
        The class token's state, the mean of all tokens' (or of a convolutional network's map),
        the last token's, or what the model itself makes of them (``pooler_output``).
    layer : int, optional
        Which hidden states: 0 before the first layer, 1 after it, -1 after the last. Default:
        the model's output, which may have been normalised once more.
    normalise : bool, default False
        Whether embeddings are scaled to length 1.
    precision : {"fp32", "bf16", "fp16"}, default "fp32"
        What weights are held and states computed in; pooling is in float32.
    batch_size : int, default 32
        Images computed at once.
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
        If it is no image model, has no class token or pooler where that was asked for, or its
        files cannot be read.
    RuntimeError
        If there is no CUDA device where one was asked for.

    References
    ----------
    Wolf et al., "Transformers: state-of-the-art natural language processing", EMNLP 2020.
    """

    kind = "image"

    def __init__(
        self,
        *,
        model: str | None = None,
        folder: Path | None = None,
        revision: str | None = None,
        pooling: Pooling = "cls",
        layer: int | None = None,
        normalise: bool = False,
        precision: Precision = "fp32",
        batch_size: int = 32,
        pretrained: bool = True,
        initialisation: int = 0,
        trust_remote_code: bool = False,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        super().__init__(
            model=model,
            folder=folder,
            revision=revision,
            pooling=pooling,
            layer=layer,
            normalise=normalise,
            precision=precision,
            batch_size=batch_size,
            pretrained=pretrained,
            initialisation=initialisation,
            trust_remote_code=trust_remote_code,
            device=device,
            threads=threads,
        )
        self._prepare = Images(self._checkpoint)


class AudioTransformer(SingleTransformer):
    """Pooled hidden states of a frozen audio model; of Whisper's, its encoder's.

    A sound becomes mono (the mean of its channels), is resampled to the model's rate and, where
    shorter than 0.1 s, filled up with silence. A model without an attention mask computes only
    sounds of one length together, so that padding never changes an embedding.

    Parameters
    ----------
    model : str, optional
        A model on the Hugging Face hub (``facebook/wav2vec2-base``).
    folder : Path, optional
        A folder that ``save_pretrained`` wrote, its feature extractor too, instead of ``model``;
        in a matrix file, relative to it.
    revision : str, optional
        Branch, tag or commit of ``model``.
    pooling : {"cls", "mean", "last", "pooler"}, default "mean"
        The class token's state, the mean of all frames', the last frame's, or what the model
        itself makes of them (``pooler_output``). Frames of padding do not count where the model
        has a mask.
    layer : int, optional
        Which hidden states: 0 before the first layer, 1 after it, -1 after the last. Default:
        the model's output, which may have been normalised once more.
    max_seconds : float, optional
        What a sound is cut off after. Whisper takes 30 s and AST 10.24 s at most in any case.
    normalise : bool, default False
        Whether embeddings are scaled to length 1.
    precision : {"fp32", "bf16", "fp16"}, default "fp32"
        What weights are held and states computed in; pooling is in float32.
    batch_size : int, default 8
        Sounds computed at once, the shortest first.
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
        If it is no audio model, has no class token or pooler where that was asked for, or its
        files cannot be read.
    RuntimeError
        If there is no CUDA device where one was asked for.

    References
    ----------
    Wolf et al., "Transformers: state-of-the-art natural language processing", EMNLP 2020.
    """

    kind = "audio"

    def __init__(
        self,
        *,
        model: str | None = None,
        folder: Path | None = None,
        revision: str | None = None,
        pooling: Pooling = "mean",
        layer: int | None = None,
        max_seconds: float | None = None,
        normalise: bool = False,
        precision: Precision = "fp32",
        batch_size: int = 8,
        pretrained: bool = True,
        initialisation: int = 0,
        trust_remote_code: bool = False,
        device: str = "cpu",
        threads: int = 1,
    ) -> None:
        self.max_seconds = max_seconds
        super().__init__(
            model=model,
            folder=folder,
            revision=revision,
            pooling=pooling,
            layer=layer,
            normalise=normalise,
            precision=precision,
            batch_size=batch_size,
            pretrained=pretrained,
            initialisation=initialisation,
            trust_remote_code=trust_remote_code,
            device=device,
            threads=threads,
        )
        self._prepare = Sounds(self._checkpoint, max_seconds)
