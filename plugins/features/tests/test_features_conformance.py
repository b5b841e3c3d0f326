import mmbench_features
import pytest

from mmbench.testing import check_encoder

NAMES: list[str] = []
mmbench_features.mmbench_register_encoders(lambda name, *_, **__: NAMES.append(name))
NAMES.remove("part-of-speech")  # it needs a model
SMALL = {
    "local-binary-patterns": {"size": 16, "grid": 2},
    "co-occurrence": {"size": 16, "levels": 8},
    "raw-pixels": {"size": 8},
    "pixels-pca": {"size": 8},
    "latent-semantic": {"components": 8, "characters": 0},
    "log-mel": {"sample_rate": 4000, "bands": 20, "trim": 30},
    "audio-statistics": {"sample_rate": 4000, "seconds": 0.2},
    "chroma": {"sample_rate": 4000, "loudness": "rms"},
}
"""Options that make a check quick: it embeds more than a thousand images."""


@pytest.mark.parametrize("name", NAMES)
def test_every_encoder_keeps_its_contract(name):
    check_encoder(name, params=SMALL.get(name))
