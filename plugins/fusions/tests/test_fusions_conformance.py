import mmbench_fusions
import pytest

from mmbench.testing import check_fusion

CASES = [(name, None) for name, *_ in mmbench_fusions.FUSIONS] + [
    ("stacking", {"meta": "svm"}),
    ("dempster-shafer", {"masses": "simple", "reliability": 1.0}),
    ("compact-bilinear", {"append_one": False, "normalise": True}),
    ("random-projection", {"matrix": "sparse", "components": 3}),
    ("feature-selection", {"scope": "all", "k": 2}),
    ("nystrom-kernel-sum", {"landmarks": 5, "gamma": 0.1}),
]


@pytest.mark.parametrize(("name", "params"), CASES)
def test_every_fusion_keeps_its_contract(name, params):
    check_fusion(name, params=params)
