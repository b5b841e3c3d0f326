"""The conformance kit, on small sets in the layouts that differ most."""

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


def test_av_mnist(digits):
    found = told("av-mnist", digits.folder)
    assert found["modalities"] == "image: image, spectrogram: image"


def test_meld(meld):
    assert told("meld", meld)["split"] == "6 train, 3 validation, 3 test"
