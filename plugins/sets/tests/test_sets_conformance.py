"""The conformance kit, on a small set in each published layout."""

from __future__ import annotations

from mmbench.testing import check_dataset


def told(name, path, **options):
    params = {"path": path, "subset": True, **options}
    (verdict,) = check_dataset(name, params=params)
    found = {finding.check: finding.what for finding in verdict.findings}
    assert found["mistakes"] == "path"
    assert not found["fingerprint-content"].startswith("0 ")
    return found


def test_hateful_memes(memes):
    found = told("hateful-memes", memes)
    assert found["split"] == "8 train, 4 validation, 5 test"


def test_food_101(food):
    assert told("food-101", food)["missing"] == "image: 0 missing, text: 1 missing"


def test_av_mnist(digits):
    found = told("av-mnist", digits.folder)
    assert found["modalities"] == "image: image, spectrogram: image"


def test_crema_d(crema):
    assert told("crema-d", crema)["groups"] == "5 groups"


def test_meld(meld):
    assert told("meld", meld)["split"] == "6 train, 3 validation, 3 test"


def test_mustard(mustard):
    modalities = ["utterance", "audio", "context_video"]
    assert told("mustard", mustard, modalities=modalities)["folds"] == "5 folds"
