"""How often texts use each part of speech, as a model of spaCy's tags them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

TAGS = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
"""Universal parts of speech, a column each."""

TAGGERS = {"morphologizer", "attribute_ruler"}
"""Components of spaCy's that give universal parts of speech."""

UNUSED = ("parser", "senter", "ner", "entity_ruler", "lemmatizer", "textcat")
"""Components that tag nothing, left out to save their time."""


class PartOfSpeech:
    """Shares of the universal parts of speech in a text's words and marks.

    Parameters
    ----------
    model : str, optional
        An installed package of spaCy's that tags, such as ``"en_core_web_sm"``.
    folder : Path, optional
        A pipeline that spaCy saved; give either this or ``model``.
    shares : bool, default True
        Shares of all words and marks of a text; false: their numbers.

    References
    ----------
    Petrov, Das and McDonald, "A universal part-of-speech tagset", LREC 2012; Nivre et al.,
    "Universal dependencies v2", LREC 2020.
    """

    def __init__(
        self,
        *,
        model: str | None = None,
        folder: Path | None = None,
        shares: bool = True,
    ) -> None:
        self.model = model
        self.folder = folder
        self.shares = shares

    @classmethod
    def cache_key(
        cls, *, model: str | None = None, folder: Path | None = None, shares: bool = True
    ) -> str:
        """Return what tells this model from others: the hash of its files, or its version.

        Raises
        ------
        FileNotFoundError
            If the folder is not there.
        """
        if folder is not None:
            from mmbench_hub import content

            return content(folder)
        try:
            return f"{model} {metadata.version(model or '')}"
        except (metadata.PackageNotFoundError, ValueError):
            return str(model)  # the cells themselves say that it is not installed

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Returns
        -------
        ndarray of float32, shape (n, 17)
            A column per tag of `TAGS`; a text without a word or mark is a row of zeros.

        Raises
        ------
        ModuleNotFoundError
            If spaCy is not installed.
        OSError
            If there is no such model.
        ValueError
            If not exactly one of ``model`` and ``folder`` is given, or it does not tag.
        """
        docs = list(self._pipeline.pipe(items))
        totals = np.array([[sum(not token.is_space for token in doc)] for doc in docs])
        counts = np.array([_counts(doc) for doc in docs], dtype=np.float32)
        return counts / np.maximum(totals, 1).astype(np.float32) if self.shares else counts

    @property
    def _named(self) -> str:
        return f"folder = '{self.folder}'" if self.folder else f"model = {self.model!r}"

    @cached_property
    def _pipeline(self) -> Language:
        if (self.model is None) == (self.folder is None):
            raise ValueError("give either model = 'NAME' or folder = 'FOLDER'")
        try:
            import spacy
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"part-of-speech needs spaCy, which mmbench-features[spacy] brings: {error}"
            ) from None
        try:
            pipeline = spacy.load(str(self.folder or self.model), exclude=UNUSED)
        except OSError as error:
            hint = f"; get it with: python -m spacy download {self.model}" if self.model else ""
            raise OSError(f"{self._named}: no pipeline of spaCy's is there{hint}") from error
        if not TAGGERS & set(pipeline.pipe_factories.values()):
            raise ValueError(f"{self._named}: this pipeline of spaCy's tags no parts of speech")
        pipeline.max_length = sys.maxsize  # of use to the components that are left out
        return pipeline


def _counts(doc: Doc) -> list[int]:
    tags = [token.pos_ for token in doc]
    return [tags.count(tag) for tag in TAGS]
