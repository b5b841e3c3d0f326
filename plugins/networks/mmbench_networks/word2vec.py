"""Means of word vectors that are learnt from the training texts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field

from mmbench import progress
from mmbench_networks.vocabulary import Preparation


@dataclass(kw_only=True, eq=False)
class Word2VecEncoder(Preparation):
    """The mean of the vectors of a text's words, learnt from which words stand together.

    A word stands for as many vectors as it occurs; one that was not learnt for none. A text
    without any learnt word is a row of zeros.

    Parameters
    ----------
    method : {"cbow", "skip-gram"}, default "skip-gram"
        Whether a word is predicted from those around it, or they from it.
    width : int, default 100
        Numbers per word.
    window : int, default 5
        How far the words around a word reach, to either side.
    negative : int, default 5
        Words drawn at random against each true one.
    subsample : float, default 1e-3
        A word whose share of all words is larger is left out here and there in training, the more
        often the larger it is; 0 for none.
    epochs : int, default 20
    min_count : int, default 2
        A word that occurs less often in the training part is not learnt.
    weights : {"none", "idf"}, default "none"
        Whether a word weighs by its inverse document frequency in the mean, so that the mean's
        weights are tf-idf.
    lowercase, stop_words, stem, segment
        How a text becomes words: `Preparation`.
    seed : int, default 0
        Given by mmbench.

    Attributes
    ----------
    words_ : list of str
        The words learnt, the most frequent first.
    vectors_ : ndarray of float32, shape (len(words_), width)
    weights_ : ndarray of float64, shape (len(words_),)
        ``1 + log((1 + n) / (1 + df))`` of n training texts, df with the word; or ones.

    References
    ----------
    Mikolov, Sutskever, Chen, Corrado and Dean, "Distributed representations of words and phrases
    and their compositionality", NeurIPS 2013.
    """

    method: Literal["cbow", "skip-gram"] = "skip-gram"
    width: Annotated[int, Field(ge=1)] = 100
    window: Annotated[int, Field(ge=1)] = 5
    negative: Annotated[int, Field(ge=1)] = 5
    subsample: Annotated[float, Field(ge=0)] = 1e-3
    epochs: Annotated[int, Field(ge=1)] = 20
    min_count: Annotated[int, Field(ge=1)] = 2
    weights: Literal["none", "idf"] = "none"
    seed: int = 0

    def fit(
        self,
        items: Sequence[str],
        labels: np.ndarray | None = None,
        *,
        validation: tuple[Sequence[str], np.ndarray | None] | None = None,
    ) -> Self:
        """Learn the words' vectors.

        Parameters
        ----------
        items : sequence of str
        labels, validation
            Not used.

        Raises
        ------
        ValueError
            If no word occurs ``min_count`` times.
        """
        from gensim.models import Word2Vec
        from gensim.models.callbacks import CallbackAny2Vec
        from sklearn.feature_extraction.text import TfidfTransformer

        class Progress(CallbackAny2Vec):  # type: ignore[misc]  # gensim is untyped
            done = 0

            def on_epoch_end(self, model: Any) -> None:
                self.done += 1
                progress(self.done, model.epochs)

        texts = self.words(items)
        model = Word2Vec(
            sg=self.method == "skip-gram",
            vector_size=self.width,
            window=self.window,
            negative=self.negative,
            sample=self.subsample,
            min_count=self.min_count,
            seed=self.seed % 2**32,
            workers=1,  # more would finish their parts in any order
        )
        model.build_vocab(texts)
        if not len(model.wv):
            raise ValueError(
                f"no word occurs {self.min_count} times in {len(texts)} training texts"
            )
        model.train(texts, total_examples=len(texts), epochs=self.epochs, callbacks=[Progress()])
        self.words_ = list(model.wv.index_to_key)
        self.vectors_ = np.array(model.wv.vectors, dtype=np.float32)
        self.weights_ = np.ones(len(self.words_))
        if self.weights == "idf":
            self.weights_ = TfidfTransformer().fit(self._counts(texts)).idf_
        return self

    def encode(self, items: Sequence[str]) -> np.ndarray:
        """Embed texts.

        Returns
        -------
        ndarray of float32, shape (n, width)
        """
        from sklearn.preprocessing import normalize

        counts = self._counts(self.words(items))
        shares = normalize(counts.multiply(self.weights_).tocsr(), norm="l1")
        means: np.ndarray = (shares @ self.vectors_).astype(np.float32)
        return means

    def save(self, folder: Path) -> None:
        """Write words, vectors and weights."""
        (folder / "words.json").write_text(json.dumps(self.words_), encoding="utf-8")
        np.save(folder / "vectors.npy", self.vectors_, allow_pickle=False)
        np.save(folder / "weights.npy", self.weights_, allow_pickle=False)

    def load(self, folder: Path) -> Self:
        """Read what `save` wrote."""
        self.words_ = json.loads((folder / "words.json").read_text(encoding="utf-8"))
        self.vectors_ = np.load(folder / "vectors.npy", allow_pickle=False)
        self.weights_ = np.load(folder / "weights.npy", allow_pickle=False)
        return self

    def _counts(self, texts: list[list[str]]) -> Any:
        """Count the learnt words in texts, csr_matrix of float64, shape (n, len(words_))."""
        from sklearn.feature_extraction.text import CountVectorizer

        counter = CountVectorizer(
            analyzer=list, vocabulary={w: i for i, w in enumerate(self.words_)}, dtype=np.float64
        )
        return counter.transform(texts)
