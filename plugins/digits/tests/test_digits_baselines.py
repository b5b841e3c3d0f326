"""Each modality alone is imperfect, and together they are better."""

from collections import Counter

import numpy as np
import pytest
from mmbench_digits.dataset import Digits
from scipy import sparse
from scipy.signal import spectrogram
from skimage.feature import hog
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits


def loudness(audio, parts=6, bands=12):
    """Mean logarithmic power in mel bands, of consecutive parts of a clip."""
    frequencies, _, power = spectrogram(
        audio.samples[:, 0], audio.sample_rate, nperseg=256, noverlap=176
    )
    mel = np.log1p(frequencies / 700)
    starts = np.searchsorted(mel, np.arange(bands) * mel[-1] / bands)
    series = np.log(np.add.reduceat(power, starts, axis=0) + 1e-12)
    return np.concatenate([p.mean(axis=1) for p in np.array_split(series, parts, axis=1)])


@pytest.fixture(scope="module")
def digits():
    return Digits()


@pytest.fixture(scope="module")
def accuracy(digits):
    """Accuracy over two of the given folds, of scikit-learn called by hand."""
    embedded = {
        "image": np.stack(
            [hog(np.asarray(i), cells_per_block=(2, 2)) for i in digits.items("image")]
        ),
        "speech": np.stack([loudness(i) for i in digits.items("speech")]),
    }
    texts = np.array(digits.items("text"), dtype=object)
    right = {}
    for fold in (0, 1):
        train, test = digits.folds != fold, digits.folds == fold
        tfidf = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)).fit(texts[train])
        spread = StandardScaler(with_mean=False).fit(tfidf.transform(texts[train]))
        parts = {"text": [spread.transform(tfidf.transform(texts[p])) for p in (train, test)]}
        for name, features in embedded.items():
            scaler = StandardScaler().fit(features[train])
            parts[name] = [scaler.transform(features[part]) for part in (train, test)]
        parts["concatenated"] = [
            sparse.hstack([parts[name][i] for name in digits.modalities], format="csr")
            for i in (0, 1)
        ]
        probabilities = {}
        for name, (fitted, tested) in parts.items():
            with threadpool_limits(1):
                head = LogisticRegression(max_iter=1000).fit(fitted, digits.labels[train])
            probabilities[name] = head.predict_proba(tested)
        alone = [probabilities[name] for name in digits.modalities]
        probabilities["mean"] = np.mean(alone, axis=0)
        for name, given in probabilities.items():
            right.setdefault(name, []).append(given.argmax(axis=1) == digits.labels[test])
    return {name: np.concatenate(found).mean() for name, found in right.items()}


def test_each_modality_alone_is_clearly_imperfect(accuracy):
    assert 0.55 < accuracy["image"] < 0.80
    assert 0.60 < accuracy["text"] < 0.85
    assert 0.50 < accuracy["speech"] < 0.80


def test_the_three_together_are_better_by_a_margin(accuracy, digits):
    best = max(accuracy[name] for name in digits.modalities)
    for together in ("concatenated", "mean"):
        assert best + 0.08 < accuracy[together] < 0.97


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
