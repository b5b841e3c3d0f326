"""What a run of fusion-classic.toml says of fusions: mean ranks over sets, and gains with tests.

``python -m benchmarks.fusion_classic RUN`` writes, into the run's folder,

``ranks.csv``, ``ranks.md``
    Of every fusion: its accuracy on each set (mean over folds, then over heads), its rank among
    all fusions on that set and head, and the mean of these ranks; Friedman's test of no
    difference.
``gains.csv``, ``gains.md``
    Of every fusion and head on av-digits: the gain in accuracy over the best single modality with
    the same head, by exact McNemar tests on the same 3,000 samples, corrected by Holm's method for
    all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

import mmbench
from mmbench.results import read_predictions

GAINS_ON = "av-digits"


def ranks(table: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return the fusions by mean rank, best first, and the p-value of Friedman's test.

    The blocks are sets × heads; ties share the mean of their ranks.
    """
    done = table[(table["status"] == "ok") & (table["fusion"] != "none")]
    cells = done.groupby(["dataset", "head", "fusion"])["accuracy"].mean()
    blocks = cells.unstack("fusion").dropna(axis="columns")
    ranked = blocks.rank(axis="columns", ascending=False)
    by_set = blocks.groupby("dataset").mean().T
    shown = done.drop_duplicates("fusion").set_index("fusion")["level"].to_frame().join(by_set)
    shown = shown.join(ranked.mean().rename("mean_rank"), how="inner")
    p = stats.friedmanchisquare(*(blocks[name] for name in blocks)).pvalue
    return shown.sort_values("mean_rank").reset_index(names="fusion"), float(p)


def gains(table: pd.DataFrame, dataset: str = GAINS_ON) -> pd.DataFrame:
    """Return the gain of each fusion and head over the best single modality with that head."""
    done = table[(table["status"] == "ok") & (table["dataset"] == dataset)]
    right = {
        key: np.concatenate([_right(table.attrs["folder"], cell) for cell in group["cell"]])
        for key, group in done.groupby(["head", "fusion", "modalities"], sort=False)
    }
    rows = []
    for (head, fusion, _), ours in right.items():
        if fusion == "none":
            continue
        alone = {m: r for (h, f, m), r in right.items() if h == head and f == "none"}
        best = max(alone, key=lambda modality: alone[modality].mean())
        theirs = alone[best]
        won, lost = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
        counts = [[int((ours & theirs).sum()), won], [lost, int((~ours & ~theirs).sum())]]
        spread = 1.96 * np.std(ours.astype(float) - theirs, ddof=1) / np.sqrt(len(ours))
        gain = ours.mean() - theirs.mean()
        rows.append({
            "head": head, "fusion": fusion, "best_single": best,
            "accuracy_single": theirs.mean(), "accuracy": ours.mean(), "gain": gain,
            "gain_low": gain - spread, "gain_high": gain + spread,
            "won": won, "lost": lost, "p": mcnemar(counts, exact=True).pvalue,
        })  # fmt: skip
    found = pd.DataFrame(rows)
    found["p_holm"] = multipletests(found["p"], method="holm")[1]
    found["verdict"] = np.select(
        [(found["p_holm"] < 0.05) & (found["gain"] > 0), found["p_holm"] < 0.05],
        ["better", "worse"],
        "not told apart",
    )
    order = found.sort_values(["head", "gain"], ascending=[False, False], kind="stable")
    return order.reset_index(drop=True)


def _right(folder: str, cell: str) -> np.ndarray:
    predictions = read_predictions(folder, cell)
    return (predictions["truth"] == predictions["predicted"]).to_numpy()


def main(folder: Path) -> None:
    """Write the tables of a run into its folder."""
    table = mmbench.read_results(folder)
    ranked, p = ranks(table)
    blocks = table["dataset"].nunique() * table.loc[table["level"] == "feature", "head"].nunique()
    _write(
        folder / "ranks", ranked,
        "# Fusions by mean rank\n\nAccuracy on each set is the mean over folds and heads; the rank "
        f"of a fusion is the mean of its ranks in {blocks} blocks (sets × heads), 1 the best, ties "
        f"shared. Friedman's test that all fusions rank alike: p = {p:.2g}. `outer-product` is of "
        "eight canonical components of each modality, all others are of the whole embeddings.",
    )  # fmt: skip
    measured = gains(table)
    better = (measured["verdict"] == "better").sum()
    _write(
        folder / "gains", measured,
        f"# Gain over the best single modality on {GAINS_ON}\n\nEvery sample is predicted once, in "
        "the fold that holds it out. The noise of the images was fixed beforehand. `best_single` "
        "is the better modality with the same head, chosen by the same samples, which favours it. "
        "`won` and `lost` count the samples that only the fusion, or only the single modality, "
        "gets right; p is of the exact McNemar test of these, `p_holm` corrected by Holm's method "
        f"for all {len(measured)}. The interval (95 %, normal) is of a single comparison. The "
        "samples of different folds were predicted by models whose training parts overlap, which "
        f"the test does not know. Better: {better} of {len(measured)}.",
    )  # fmt: skip


def _write(stem: Path, table: pd.DataFrame, text: str) -> None:
    table.to_csv(stem.with_suffix(".csv"), index=False, lineterminator="\n")
    shown = table.copy()
    for name in shown.select_dtypes("float"):
        form = "{:.2g}" if name in ("p", "p_holm") else "{:.1f}" if "rank" in name else "{:.3f}"
        shown[name] = shown[name].map(form.format)
    page = shown.to_markdown(index=False, disable_numparse=True)
    stem.with_suffix(".md").write_text(f"{text}\n\n{page}\n", encoding="utf-8")
    print(page)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
