import mmbench_features
import pytest

from mmbench.testing import check_encoder

NAMES: list[str] = []
mmbench_features.mmbench_register_encoders(lambda name, *_, **__: NAMES.append(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_encoder_keeps_its_contract(name):
    check_encoder(name)
