from mmbench.testing import check_encoder


def test_a_model_from_a_folder_keeps_the_contract_and_knows_its_weights(folder_of):
    (verdict,) = check_encoder("two-tower-audio", params={"folder": str(folder_of("clap"))})
    assert {f.check: f.status for f in verdict.findings}["cache-key"] == "passed"
