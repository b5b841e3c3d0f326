import mmbench_metrics
import pytest

from mmbench.testing import check_metric

NAMES: list[str] = []
mmbench_metrics.mmbench_register_metrics(lambda name, *_, **__: NAMES.append(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_metric_keeps_its_contract(name):
    check_metric(name)
