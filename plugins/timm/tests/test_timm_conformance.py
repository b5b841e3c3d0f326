from mmbench.testing import check_encoder


def test_a_network_of_random_weights_keeps_the_contract():
    check_encoder("timm", params={"model": "test_resnet", "pretrained": False})
