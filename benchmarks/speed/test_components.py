"""Every registered encoder and fusion through pytest-benchmark, on mmbench's clock."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

import pytest

from benchmarks.speed.components import components, lacking, title
from mmbench.catalogue import Entry
from mmbench.measurement.component import Component

TIMED = [found for sort in ("encoder", "fusion") for found in components(sort)]


@pytest.mark.parametrize("batch_size", [1, 32])
@pytest.mark.parametrize(
    ("entry", "params"), TIMED, ids=[f"{entry.sort} {title(entry, p)}" for entry, p in TIMED]
)
def test_component(
    benchmark: Any, entry: Entry, params: Mapping[str, Any], batch_size: int, device: str
) -> None:
    """A call returns a row for each sample given; batches of made samples follow each other."""
    if reason := lacking(entry, params):
        pytest.skip(reason)
    part = Component(entry.sort, entry.name, params=params, device=device)
    batches = itertools.cycle([part.batch(rows) for rows in part.rows.reshape(-1, batch_size)])
    process = part.process
    benchmark.group = f"{entry.sort}, batches of {batch_size}"
    benchmark.extra_info |= {
        "batch_size": batch_size,
        "device": device,
        "precision": "fp32",
        "compile": "none",
        "scenario": "single-stream" if batch_size == 1 else "offline",
        "params": json.dumps(params),
    }
    made = benchmark(lambda: process(next(batches)))
    assert all(values.shape[0] == batch_size for values in made.values())
