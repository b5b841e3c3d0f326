from __future__ import annotations

import pytest

from mmbench.testing import check_dataset


@pytest.mark.parametrize("params", [{}, {"typos": 0.0, "noise": 0.0, "hiss": 0.0, "size": 8}])
def test_it_keeps_the_contract(params):
    (verdict,) = check_dataset("digits", params=params)
    told = {finding.check: finding.what for finding in verdict.findings}
    assert told["modalities"] == "image: image, text: text, speech: audio"
    assert told["ids"] == "1797 samples"
    assert not told["fingerprint-content"].startswith("0 ")
