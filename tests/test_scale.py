"""What benchmarks/simulations/scale.py measures, on a small run, and its committed table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from benchmarks.simulations import scale
from mmbench import evidence
from mmbench.folder import RunFolder
from mmbench.results import read_predictions

COMMITTED = Path(__file__).parents[1] / "results" / "reference" / "simulations" / "scale.csv"


@pytest.mark.parametrize("seeds", [1, 2])
def test_a_closed_run_is_ranked_as_by_hand(
    seeds: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it is ranked by labels alone, without probabilities, as it is with them."""
    monkeypatch.setattr(scale, "N", 200)
    run = tmp_path / "run"
    scale.make(run, (1, 3, 2, 2), classes=3, seeds=seeds)
    rows = pd.DataFrame(record["row"] for record in RunFolder(run).journal().values())
    assert len(rows) == seeds * 20
    right = []
    for cell in rows["cell"]:
        told = read_predictions(run, cell)
        right.append((told["truth"] == told["predicted"]).mean())
    np.testing.assert_allclose(rows["accuracy"], right)
    mean = rows.groupby(["encoders", "fusion", "head"], sort=False)["accuracy"].mean()

    read: list[str] = []
    for reader in (evidence.Predictions, evidence.Verdicts):
        watched(reader, read, monkeypatch)
    summary, told = scale.close(run)
    np.testing.assert_array_equal(summary["rank"], rankdata(-mean.round(12), method="min"))
    assert (summary["gain"].notna() == (summary["fusion"] != "none")).all()
    assert told["rank groups"] == summary["rank_group"].max()
    assert read.count("Predictions") == (1 if seeds == 1 else 40), "labels are enough"

    read.clear()
    again, _ = scale.close(run)
    pd.testing.assert_frame_equal(again, summary)
    assert not read, "what is known of these predictions is kept"

    (run / "standings.json").unlink()
    monkeypatch.setattr(evidence.Samples, "is_known", lambda self, name: False)
    again, _ = scale.close(run)
    pd.testing.assert_frame_equal(again, summary)


def watched(reader: type, read: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Note each time that a reader reads."""
    original = reader.read

    def noted(files: list[Path]) -> object:
        read.append(reader.__name__)
        return original(files)

    monkeypatch.setattr(reader, "read", noted)


def test_the_committed_figures_are_of_10_000_cells() -> None:
    """Under a minute of one processor and under 2 GB, where cells have their own intervals."""
    table = pd.read_csv(COMMITTED)
    assert (table["combinations"] * table["seeds"] == 10_000).all()
    single = table[table["seeds"] == 1]
    assert set(single["classes"]) == {2, 10}
    assert (single["cpu s"] < 60).all()
    assert (table["peak memory MB"] < 2000).all()
