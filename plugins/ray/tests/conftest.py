"""A Ray cluster that the tests share."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator

import pytest

from benchmarks.cluster.nodes import Cluster

os.environ["RAY_AUTH_MODE"] = "token"  # read once, when Ray is imported


@pytest.fixture(scope="session")
def variables() -> Iterator[None]:
    """Give Ray a token, and a folder whose name is short, as its sockets need."""
    folder = tempfile.mkdtemp(prefix="r", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_AUTH_TOKEN", uuid.uuid4().hex)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.delenv("RAY_ADDRESS", raising=False)
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def cluster(variables: None) -> Iterator[Cluster]:
    """Start a cluster of two nodes, each with a processor and, in name, a GPU."""
    made = Cluster("--num-gpus=1")
    try:
        made.add("--num-gpus=1")
        yield made
    finally:
        made.close()
