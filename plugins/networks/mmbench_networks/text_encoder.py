"""What the networks that read texts have in common: words, their numbers and their vectors."""

# Annotations are not postponed, as in `mmbench_networks.vocabulary`.

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from mmbench_hub import content
from pydantic import Field

from mmbench_networks import word_vectors
from mmbench_networks.network import NetworkEncoder
from mmbench_networks.vocabulary import PADDING, UNKNOWN, Preparation, Vocabulary

if TYPE_CHECKING:
    from torch import Tensor

    from mmbench_networks.layers import Classifier
    from mmbench_networks.text_layers import Reader


@dataclass(kw_only=True, eq=False)
class TextEncoder(Preparation, NetworkEncoder):
    """A network over the vectors of a text's words, trained to tell the classes apart.

    The vocabulary is that of the training part. A word that is not in it has a vector too, which
    begins as zeros and is learnt from the words that ``min_count`` and ``max_words`` leave out.
    A text without any word is read as one such word.

    Parameters
    ----------
    units : {"words", "characters"}, default "words"
        What is read one by one, and called word below: words, or the characters of the words, a
        blank between words being one. Characters tell what words share that are not the same.
    min_count : int, default 2
        A word that occurs less often in the training part is not in the vocabulary.
    max_words : int, default 20000
        Only so many words are, the most frequent.
    max_length : int, default 200
        Words of a text that are read, its first.
    width : int, default 64
        Numbers per word; where ``vectors`` is given, its file says how many.
    vectors : Path, optional
        Word vectors to begin with: a text file as of GloVe or word2vec
        (`mmbench_networks.word_vectors.read`). Words of the vocabulary that are not in it begin at
        random, spread as those that are.
    freeze : bool, default False
        Whether word vectors stay as they begin, that of unknown words at zero.
    dropout : float, default 0.3
        Of word vectors, between layers, and before the classes.
    clip : float, default 1
        As in `mmbench_training.Training`, but on: recurrent layers need it.

    Raises
    ------
    OSError
        If the file of word vectors cannot be read.
    ValueError
        If no word occurs ``min_count`` times, or the file of word vectors is wrong or has none
        of the words.
    """

    units: Literal["words", "characters"] = "words"
    min_count: Annotated[int, Field(ge=1)] = 2
    max_words: Annotated[int, Field(ge=1)] = 20_000
    max_length: Annotated[int, Field(ge=1)] = 200
    width: Annotated[int, Field(ge=1)] = 64
    vectors: Path | None = None
    freeze: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.3
    clip: Annotated[float, Field(ge=0)] = 1.0
    _given: dict[str, np.ndarray] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def cache_key(cls, *, vectors: Path | None = None, **_: Any) -> str:
        """Return the hash of the file of word vectors.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        """
        return "from scratch" if vectors is None else content(vectors)

    @abstractmethod
    def reader(self, words: int, width: int) -> "Reader":
        """Return what reads texts of so many different words, with random weights."""

    def learn(self, items: Sequence[str]) -> dict[str, Any]:
        """Return the vocabulary and the width of word vectors."""
        texts = self._units(items)
        vocabulary = Vocabulary.learnt(texts, min_count=self.min_count, largest=self.max_words)
        words, width = vocabulary.words, self.width
        if not words:
            raise ValueError(
                f"no word occurs {self.min_count} times in {len(texts)} training texts"
            )
        if self.vectors is not None:
            self._given = word_vectors.read(self.vectors, frozenset(words))
            if not self._given:
                raise ValueError(f"{self.vectors}: none of the {len(words)} words is in it")
            width = len(next(iter(self._given.values())))
        self._vocabulary = vocabulary
        return {"words": words, "width": width}

    def build(self) -> "Classifier":
        """Return the network with initial weights."""
        import torch

        from mmbench_networks.layers import Classifier

        self._vocabulary = Vocabulary(self.learnt_["words"])
        reader = self.reader(len(self._vocabulary), self.learnt_["width"])
        weight = reader.vectors.weight
        with torch.no_grad():
            if given := self._given:
                values = torch.from_numpy(np.stack(list(given.values())))
                weight *= values.std()
                weight[self._vocabulary.numbers(given)] = values
            weight[UNKNOWN] = 0.0
        weight.requires_grad_(not self.freeze)
        return Classifier(reader, reader.size, self.learnt_["classes"], self.dropout)

    def prepare(self, items: Sequence[str]) -> "list[Tensor]":
        """Return the words' numbers, of each text a tensor of int64."""
        import torch

        cut = [self._vocabulary.numbers(text[: self.max_length]) for text in self._units(items)]
        return [torch.tensor(numbers or [UNKNOWN]) for numbers in cut]

    def collate(self, inputs: "list[Tensor]", training: bool) -> "Tensor":
        """Return numbers of texts as one tensor (n, longest), padded behind."""
        from torch.nn.utils.rnn import pad_sequence

        return pad_sequence(inputs, batch_first=True, padding_value=PADDING)

    def _units(self, items: Sequence[str]) -> list[list[str]]:
        """Return what each text is to be read by."""
        texts = self.words(items)
        return texts if self.units == "words" else [list(" ".join(words)) for words in texts]
