"""Each modality alone is imperfect, and both together are better."""

from collections import Counter

import numpy as np
import pytest
from mmbench_digits.dataset import Digits
from scipy import sparse
from skimage.feature import hog
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="module")
def digits():
    return Digits()


@pytest.fixture(scope="module")
def accuracy(digits):
    """Accuracy over two of the given folds, of scikit-learn called by hand."""
    images = np.stack([hog(np.asarray(i), cells_per_block=(2, 2)) for i in digits.items("image")])
    texts = np.array(digits.items("text"), dtype=object)
    right = {"image": [], "text": [], "concatenated": []}
    for fold in (0, 1):
        train, test = digits.folds != fold, digits.folds == fold
        scaler = StandardScaler().fit(images[train])
        tfidf = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)).fit(texts[train])
        spread = StandardScaler(with_mean=False).fit(tfidf.transform(texts[train]))

        def features(part, scaler=scaler, tfidf=tfidf, spread=spread):
            image = scaler.transform(images[part])
            text = spread.transform(tfidf.transform(texts[part]))
            both = sparse.hstack([image, text], format="csr")
            return {"image": image, "text": text, "concatenated": both}

        fitted, tested = features(train), features(test)
        for name in right:
            with threadpool_limits(1):
                head = LogisticRegression(max_iter=1000).fit(fitted[name], digits.labels[train])
            right[name].append(head.predict(tested[name]) == digits.labels[test])
    return {name: np.concatenate(found).mean() for name, found in right.items()}


def test_each_modality_alone_is_clearly_imperfect(accuracy):
    assert 0.72 < accuracy["image"] < 0.88
    assert 0.60 < accuracy["text"] < 0.85


def test_both_together_are_better_by_a_margin(accuracy):
    assert accuracy["concatenated"] > max(accuracy["image"], accuracy["text"]) + 0.05
    assert accuracy["concatenated"] < 0.97


def test_looking_a_text_up_gains_nothing(digits):
    """A text's label taken from an equal training text, else the most frequent label."""
    texts, right = digits.items("text")[:], []
    for fold in range(5):
        train = [i for i, f in enumerate(digits.folds) if f != fold]
        usual = Counter(digits.labels[train].tolist()).most_common(1)[0][0]
        known = {texts[i]: digits.labels[i] for i in train}
        right += [
            known.get(texts[i], usual) == digits.labels[i]
            for i in np.flatnonzero(digits.folds == fold)
        ]
    assert np.mean(right) < 0.13
