"""Sparse embeddings are stored chunk by chunk as the matrix that they are together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from mmbench.errors import PluginError
from mmbench.jobs import perform
from mmbench.planning import make_plan
from mmbench.workshop import Context

PLUGIN = '''
import numpy as np
from scipy import sparse
from mmbench import hookimpl

N, WIDTH = 200, 7


class Counts:
    modalities = {"counts": "vector"}
    labels = np.arange(N) % 2
    classes = ("a", "b")
    ids = tuple(map(str, range(N)))

    def items(self, modality):
        made = np.random.default_rng(0).poisson(0.3, (N, WIDTH)).astype(float)
        return [None if i % 9 == 4 else row for i, row in enumerate(made)]

    def fingerprint(self, modality):
        return "counts"


class Reversed:
    """Columns from right to left, their indices not in order; wider ones after a while."""

    def __init__(self, *, wider: bool = False):
        self.wider = wider
        self.given = 0

    def encode(self, items):
        self.given += len(items)
        indices = [np.flatnonzero(item)[::-1] for item in items]
        data = np.concatenate([item[i] for item, i in zip(items, indices)]).astype(np.float32)
        starts = np.concatenate([[0], np.cumsum([len(i) for i in indices])])
        width = WIDTH + (self.wider and self.given > 100)
        return sparse.csr_matrix((data, np.concatenate(indices), starts), (len(items), width))


@hookimpl
def mmbench_register_datasets(register):
    register("counts", Counts)


@hookimpl
def mmbench_register_encoders(register):
    register("reversed", Reversed, kind="vector", sparse=True, standardise=False)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "counting.py"
    file.write_text(PLUGIN)
    return file


def embedded(plugin: Path, **options: object) -> sparse.csr_matrix:
    """Do the job that embeds, in this process, and return what it has stored."""
    matrix = {
        "name": "counts",
        "datasets": [{"use": "counts"}],
        "encoders": {"counts": {"use": "reversed", **options}},
        "heads": ["logistic-regression"],
    }
    folder = plugin.parent
    plan = make_plan(matrix, plugins=[str(plugin)])
    (job,) = (job for job in plan.graph.jobs.values() if job.kind == "embed")
    context = Context(folder / "store", plan.plugins, plan.registrations, 1, "cpu", folder)
    workshop = context.open()
    for key, values in plan.graph.arrays.items():
        workshop.store.put_array(key, values)
    outcome = perform(job, workshop)
    if outcome.status != "ok":
        raise PluginError(outcome.reason)
    return workshop.store.open(job.key).matrix("values")


def test_it_is_the_matrix_of_all_items(plugin: Path) -> None:
    """Over several chunks; rows of missing items and of zeros are empty; columns are in order."""
    expected = np.random.default_rng(0).poisson(0.3, (200, 7))
    expected[4::9] = 0
    assert (expected.sum(axis=1) == 0).sum() > 200 // 9  # some of them are not missing
    found = embedded(plugin)
    assert isinstance(found, sparse.csr_matrix)
    assert found.dtype == np.float32
    assert found.has_sorted_indices
    np.testing.assert_array_equal(found.toarray(), expected)


def test_chunks_of_another_width_are_refused(plugin: Path) -> None:
    with pytest.raises(PluginError, match="encode returned 8 columns after 7"):
        embedded(plugin, wider=True)
