from mmbench.testing import check_encoder


def test_a_network_over_sounds_keeps_the_contract():
    """The one with most to go wrong: unequal lengths, batch normalisation, augmentation."""
    options = {"epochs": 2, "bands": 16, "hop": 0.04, "channels": 4, "width": 8, "mask_bands": 2}
    (verdict,) = check_encoder("crnn", params=options)
    found = {finding.check: finding.status for finding in verdict.findings}
    assert found["save-load"] == "passed"
