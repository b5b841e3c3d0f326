import timm

from mmbench.testing import check_encoder


def test_a_network_of_random_weights_keeps_the_contract():
    check_encoder("timm", params={"model": "test_resnet", "pretrained": False})


def test_a_network_from_a_folder_keeps_the_contract_and_knows_its_weights(tmp_path):
    folder = tmp_path / "network"
    timm.models.save_for_hf(timm.create_model("test_vit"), str(folder), safe_serialization=True)
    (verdict,) = check_encoder("timm", params={"model": f"local-dir:{folder}"})
    assert {f.check: f.status for f in verdict.findings}["cache-key"] == "passed"
