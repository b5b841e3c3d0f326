"""A metric that tells how many threads the libraries in a worker process would use."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from mmbench import hookimpl


class MostThreads:
    """The most threads that BLAS, OpenMP or torch is set to, of those the process has loaded."""

    needs = "labels"
    higher_is_better = False

    def __call__(self, truth: np.ndarray, predicted: np.ndarray, probabilities: Any) -> float:
        """Ask the libraries; predictions are ignored."""
        from threadpoolctl import threadpool_info

        told = [pool["num_threads"] for pool in threadpool_info()]
        torch = sys.modules.get("torch")
        return float(max([*told, *([torch.get_num_threads()] if torch else [])]))


@hookimpl
def mmbench_register_metrics(register: Callable[..., None]) -> None:
    """Register the metric."""
    register("most_threads", MostThreads, summary="threads that libraries are set to")
