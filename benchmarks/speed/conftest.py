"""The speed suite's device and clock: those of mmbench, under pytest-benchmark."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from threadpoolctl import threadpool_limits

from mmbench.timing.clocks import clock_for


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--device``."""
    choices = ("cpu", "cuda")
    parser.addoption("--device", choices=choices, default="cpu", help="where networks compute")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have pytest-benchmark read the device's clock, and leave out what needs a GPU."""
    import torch

    clock = clock_for(config.getoption("--device"))
    for item in items:
        item.add_marker(pytest.mark.benchmark(timer=clock.now))
        if item.get_closest_marker("gpu") and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="no CUDA device"))


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """Return where networks compute."""
    return str(request.config.getoption("--device"))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Compute on one core, as mmbench does unless told otherwise."""
    import torch

    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
