from mmbench.testing import check_fusion


def test_attention_keeps_the_contract():
    """The one with most to go wrong: sequences, and what samples lack."""
    (verdict,) = check_fusion("attention", params={"epochs": 3, "width": 16, "learning_rate": 0.01})
    found = {finding.check: finding.status for finding in verdict.findings}
    assert {found[name] for name in ("save-load", "missing", "validation")} == {"passed"}
