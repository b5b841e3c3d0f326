"""What the dataset is: its images, texts, speech, blocks and fingerprints."""

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from mmbench_digits import mmbench_register_datasets
from mmbench_digits.dataset import Digits, deal
from mmbench_digits.phrases import base, read_phrases
from sklearn.datasets import load_digits

from mmbench.contracts import Dataset


@pytest.fixture(scope="module")
def digits():
    return Digits()


@pytest.fixture(scope="module")
def prints(digits):
    return {modality: digits.fingerprint(modality) for modality in digits.modalities}


def test_is_registered_without_importing_what_it_needs():
    registered = {}
    mmbench_register_datasets(lambda name, target, **flags: registered.update({name: target}))
    assert registered == {"digits": "mmbench_digits.dataset:Digits"}
    code = (
        "import sys, mmbench_digits;"
        "print({'numpy', 'sklearn', 'PIL', 'scipy', 'soundfile'} & set(sys.modules) or 'light')"
    )
    assert _python(code) == "light"


def test_offers_what_the_contract_asks(digits):
    assert isinstance(digits, Dataset)
    assert list(digits.modalities.items()) == [
        ("image", "image"),
        ("text", "text"),
        ("speech", "audio"),
    ]
    assert digits.classes == list("0123456789")
    assert digits.labels.dtype == np.int64
    np.testing.assert_array_equal(digits.labels, load_digits().target)
    assert len(set(digits.ids)) == len(digits.ids) == 1797
    assert digits.ids[1] == "digit-0001"
    assert digits.groups.shape == digits.folds.shape == (1797,)
    for modality in digits.modalities:
        items = digits.items(modality)
        assert len(items) == 1797
        assert items.missing.shape == (1797,)
        assert not items.missing.any()


def test_items_are_a_sequence_made_on_access(digits):
    made = []
    digits = Digits()
    digits._make["text"] = lambda i: made.append(i) or f"text {i}"
    items = digits.items("text")
    assert made == []
    assert items[-1] == "text 1796"
    assert items[3:9:2] == ["text 3", "text 5", "text 7"]
    assert made == [1796, 3, 5, 7]
    with pytest.raises(IndexError):
        items[1797]


def test_without_noise_an_image_is_scikit_learns():
    images = Digits(noise=0, size=8).items("image")
    for i in (0, 1, 1796):
        expected = np.rint(load_digits().images[i] * 255 / 16)
        np.testing.assert_array_equal(np.asarray(images[i]), expected)


def test_images_are_grey_and_of_the_size_asked_for(digits):
    image = digits.items("image")[0]
    assert (image.mode, image.size) == ("L", (32, 32))
    assert Digits(size=11).items("image")[0].size == (11, 11)


def test_noise_has_the_standard_deviation_asked_for():
    clean = load_digits().images / 16
    noisy = np.stack([np.asarray(i) for i in Digits(noise=0.05, size=8).items("image")]) / 255
    inner = (clean > 0.25) & (clean < 0.75)  # five deviations from being clipped
    noise = (noisy - clean)[inner]
    assert noise.std() == pytest.approx(0.05, rel=0.02)
    assert abs(noise.mean()) < 0.001
    correlation = np.corrcoef((noisy - clean)[[0, 1]].reshape(2, -1))[0, 1]
    assert abs(correlation) < 0.5  # each sample has its own


def test_a_text_names_its_digit(digits):
    said = {base(phrase.text): phrase.digit for phrase in read_phrases()}
    assert [said[base(text)] for text in digits.phrases] == digits.labels.tolist()
    assert Digits(typos=0).items("text")[:] == digits.phrases


def test_typing_errors_change_texts_but_not_numerals(digits):
    numerals = {phrase.text for phrase in read_phrases() if phrase.numeral}
    texts = Digits(typos=0.5).items("text")[:]
    changed = np.array([a != b for a, b in zip(texts, digits.phrases, strict=True)])
    numeral = np.array([phrase in numerals for phrase in digits.phrases])
    assert changed.mean() > 0.5
    assert numeral.sum() > 20
    assert not changed[numeral].any()
    assert all(texts)


def test_no_phrase_stands_in_two_blocks(digits):
    blocks = {}
    for phrase, block in zip(digits.phrases, digits.groups, strict=True):
        blocks.setdefault(base(phrase), set()).add(block)
    assert {len(found) for found in blocks.values()} == {1}
    np.testing.assert_array_equal(digits.folds, digits.groups % 5)
    for fold in range(5):
        train = {base(p) for p, f in zip(digits.phrases, digits.folds, strict=True) if f != fold}
        test = {base(p) for p, f in zip(digits.phrases, digits.folds, strict=True) if f == fold}
        assert test
        assert not train & test


def test_blocks_are_balanced_and_hold_every_class(digits):
    assert Counter(np.bincount(digits.groups).tolist()) == {90: 17, 89: 3}
    table = np.zeros((20, 10), dtype=int)
    np.add.at(table, (digits.groups, digits.labels), 1)
    assert table.min() >= 8
    assert table.max() <= 10


def test_dealing_takes_turns_within_a_class_and_looks_at_names_only():
    names, labels = [f"name {i}" for i in range(95)], np.repeat([0, 1], [50, 45])
    blocks = deal(names, labels)
    assert set(np.bincount(blocks[:50])) == {2, 3}
    assert set(np.bincount(blocks[50:])) == {2, 3}
    order = np.random.default_rng(0).permutation(95)
    np.testing.assert_array_equal(deal([names[i] for i in order], labels[order]), blocks[order])


@pytest.mark.parametrize(
    ("options", "changed"),
    [
        ({}, set()),
        ({"typos": 0.1}, {"text"}),
        ({"noise": 0.1}, {"image"}),
        ({"size": 16}, {"image"}),
        ({"hiss": 0.1}, {"speech"}),
        ({"draw": 1}, {"image", "text", "speech"}),
    ],
)
def test_a_fingerprint_changes_with_its_modality_alone(digits, prints, options, changed):
    other = Digits(**options)
    assert {m for m in prints if prints[m] != other.fingerprint(m)} == changed
    np.testing.assert_array_equal(digits.groups, other.groups)


def test_a_fingerprint_follows_the_content():
    clean, other = Digits(noise=0), Digits(noise=0, draw=1)
    assert clean.fingerprint("image") == other.fingerprint("image")
    clean._make["text"] = lambda i: "ab" if i == 0 else "c"
    other._make["text"] = lambda i: "a" if i == 0 else "bc" if i == 1 else "c"
    assert clean.fingerprint("text") != other.fingerprint("text")


def test_another_process_makes_the_same(digits, prints):
    code = (
        "from mmbench_digits.dataset import Digits; d = Digits();"
        "print({m: d.fingerprint(m) for m in d.modalities}, d.groups.tolist())"
    )
    assert _python(code, PYTHONHASHSEED="7") == f"{prints} {digits.groups.tolist()}"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"typos": 1.5}, "typos"),
        ({"typos": float("nan")}, "typos"),
        ({"noise": -0.1}, "noise"),
        ({"noise": float("inf")}, "noise"),
        ({"size": 7}, "size"),
        ({"hiss": -0.1}, "hiss"),
        ({"hiss": float("nan")}, "hiss"),
    ],
)
def test_a_parameter_out_of_range_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        Digits(**options)


def _python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
