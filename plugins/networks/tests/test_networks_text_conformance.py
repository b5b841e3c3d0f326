import pytest

from mmbench.testing import check_encoder


@pytest.mark.parametrize("name", ["lstm", "word2vec"])
def test_a_text_encoder_keeps_the_contract(name, tmp_path):
    options = {"width": 8, "epochs": 2}
    if name == "lstm":
        options |= {"hidden": 8, "vectors": tmp_path / "vectors.txt"}
        options["vectors"].write_text("river 1 2 3 4\nsong 4 3 2 1\nbread 0 1 0 1\n")
    (verdict,) = check_encoder(name, params=options)
    found = {finding.check: finding.status for finding in verdict.findings}
    assert found["save-load"] == "passed"
    assert found["cache-key"] == ("passed" if name == "lstm" else "skipped")
