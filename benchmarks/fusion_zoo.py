"""What a run of fusion-zoo.toml says of fusions: mean ranks over sets, and gains with tests.

``python -m benchmarks.fusion_zoo RUN`` writes, into the run's folder,

``ranks.csv``, ``ranks.md``
    Of every fusion (feature- and decision-level ones with each head): its accuracy on each set,
    the mean of its ranks on the sets, with an interval by the bootstrap over test samples;
    Friedman's test of no difference and Nemenyi's critical difference.
``gains.csv``, ``gains.md``
    Of the same on av-digits: the gain in accuracy over the best single modality, by exact McNemar
    tests on the same 3,000 samples, corrected by Holm's method for all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

import mmbench
from mmbench.results import read_predictions
from mmbench.statistics.datasets import compare_on_datasets, mean_ranks
from mmbench.statistics.families import adjust
from mmbench.statistics.paired import mcnemar

GAINS_ON = "av-digits"
METHOD = ["fusion", "level", "head"]
REPLICATES = 2000


def accuracies(table: pd.DataFrame) -> pd.DataFrame:
    """Return each set's share of right test samples, all folds together: methods × sets.

    A method is a fusion with its head; a joint fusion has none.
    """
    done = _fused(table)
    weighed = done.assign(right=done["accuracy"] * done["n_test"])
    sums = weighed.groupby([*METHOD, "dataset"])[["right", "n_test"]].sum()
    return (sums["right"] / sums["n_test"]).astype(float).unstack("dataset").dropna()


def bootstrap(table: pd.DataFrame, methods: pd.Index, replicates: int = REPLICATES) -> np.ndarray:
    """Return mean ranks on test samples drawn anew, (replicates, methods).

    Within each set and fold, as many test samples as there are are drawn with replacement, the
    same for all methods. Nothing is fitted anew.
    """
    rng = np.random.default_rng(0)
    drawn = []
    for _, cells in _fused(table).groupby("dataset"):
        right: np.ndarray = np.zeros((replicates, len(methods)))
        for _, fold in cells.groupby(["seed", "fold"]):
            cell = fold.set_index(METHOD)["cell"].reindex(methods)
            hits = np.stack([_right(table.attrs["folder"], name) for name in cell]).astype(float)
            n = hits.shape[1]
            right += rng.multinomial(n, np.full(n, 1 / n), size=replicates) @ hits.T
        drawn.append(right / cells.drop_duplicates(["seed", "fold"])["n_test"].sum())
    return mean_ranks(np.stack(drawn, axis=-1))


def ranks(table: pd.DataFrame) -> pd.DataFrame:
    """Return the methods by mean rank over sets, best first, with 95 % intervals (percentiles)."""
    found = accuracies(table)
    low, high = np.quantile(bootstrap(table, found.index), [0.025, 0.975], axis=0)
    ranked = found.assign(mean_rank=mean_ranks(found.to_numpy()), rank_low=low, rank_high=high)
    return ranked.sort_values("mean_rank", kind="stable").reset_index()


def gains(table: pd.DataFrame, dataset: str = GAINS_ON) -> pd.DataFrame:
    """Return the gain of each method over the best single modality.

    It is the best with the same head; with any head, where the fusion has none.
    """
    done = table[(table["status"] == "ok") & (table["dataset"] == dataset)]
    right = {
        key: np.concatenate([_right(table.attrs["folder"], cell) for cell in group["cell"]])
        for key, group in done.groupby([*METHOD, "modalities"], sort=False)
    }
    rows = []
    for (fusion, level, head, _), ours in right.items():
        if fusion == "none":
            continue
        alone = {
            (modality, its): r
            for (f, _, its, modality), r in right.items()
            if f == "none" and head in (its, "")
        }
        best = max(alone, key=lambda single: alone[single].mean())
        theirs = alone[best]
        won, lost = int((ours & ~theirs).sum()), int((~ours & theirs).sum())
        spread = 1.96 * np.std(ours.astype(float) - theirs, ddof=1) / np.sqrt(len(ours))
        gain = ours.mean() - theirs.mean()
        rows.append({
            "fusion": fusion, "level": level, "head": head,
            "best_single": best[0], "its_head": best[1],
            "accuracy_single": theirs.mean(), "accuracy": ours.mean(), "gain": gain,
            "gain_low": gain - spread, "gain_high": gain + spread,
            "won": won, "lost": lost, "p": mcnemar(won, lost)[0],
        })  # fmt: skip
    found = pd.DataFrame(rows)
    found["p_holm"] = adjust(found["p"].to_numpy())
    found["verdict"] = np.select(
        [(found["p_holm"] < 0.05) & (found["gain"] > 0), found["p_holm"] < 0.05],
        ["better", "worse"],
        "not told apart",
    )
    return found.sort_values("gain", ascending=False, kind="stable").reset_index(drop=True)


def _fused(table: pd.DataFrame) -> pd.DataFrame:
    return table[(table["status"] == "ok") & (table["fusion"] != "none")]


def _right(folder: str, cell: str) -> np.ndarray:
    predictions = read_predictions(folder, cell)
    right: np.ndarray = (predictions["truth"] == predictions["predicted"]).to_numpy()
    return right


def tell_ranks(ranked: pd.DataFrame, datasets: list[str], folder: Path) -> None:
    """Write the tables of ranks, with the study of critical differences (Demšar 2006)."""
    sets = [name for name in datasets if name in ranked]
    scores = ranked[sets].to_numpy()
    names = list(ranked[METHOD].agg(" ".join, axis=1))
    nemenyi = compare_on_datasets(scores, names, post_hoc="nemenyi")
    groups = [sorted(names.index(name) + 1 for name in group) for group in nemenyi.groups]
    told = ", ".join(f"{group[0]} to {group[-1]}" for group in groups)
    apart = int((compare_on_datasets(scores, names).p_values <= 0.05).sum()) // 2
    least = float(wilcoxon(np.arange(1.0, len(sets) + 1)).pvalue)
    pairs = len(ranked) * (len(ranked) - 1) // 2
    _write(
        folder / "ranks", ranked,
        "# Fusions by mean rank\n\nA feature- or decision-level fusion counts with each head as a "
        "method of its own; a joint fusion has no head. Accuracy is the share of a set's samples "
        "that are right, each predicted once, in the fold that holds it out. Blocks are the "
        f"{len(sets)} sets: a method's mean rank is the mean of its ranks by accuracy on them, of "
        f"{len(ranked)} methods, 1 the best, ties shared. `outer-product` is of eight canonical "
        "components of each modality, all others are of the whole embeddings.\n\n"
        "`rank_low` to `rank_high` holds 95 % of the mean ranks on test samples drawn anew: "
        f"{REPLICATES} times, as many as there are, with replacement, within each set and fold, "
        "the same for all methods. So it carries the error that comes of the test samples being "
        "few, not what other training samples, seeds or sets would bring; samples of one group "
        "(phrases and voices of digits) are drawn one by one. Drawing adds noise to noise, which "
        "pulls the best and the worst towards the middle: an interval need not have its mean rank "
        "at its centre.\n\n"
        f"Friedman's test that all methods rank alike: p = {nemenyi.p_value:.2g}. Nemenyi's "
        f"critical difference at 5 % for {len(ranked)} methods on {len(sets)} sets (Demšar 2006): "
        f"{nemenyi.critical_difference:.1f}. Groups of methods that it cannot tell apart, by their "
        f"place in the table: {told}. Wilcoxon's signed-rank test, corrected by Holm's method, "
        f"tells {apart} of {pairs} pairs apart; whatever methods score, its p-value on "
        f"{len(sets)} sets is no smaller than {least:g} before correction.",
    )  # fmt: skip


def main(folder: Path) -> None:
    """Write the tables of a run into its folder."""
    table = mmbench.read_results(folder)
    tell_ranks(ranks(table), list(table["dataset"].unique()), folder)
    measured = gains(table)
    better = (measured["verdict"] == "better").sum()
    _write(
        folder / "gains", measured,
        f"# Gain over the best single modality on {GAINS_ON}\n\nEvery sample is predicted once, in "
        "the fold that holds it out. The noise of the images was fixed beforehand. `best_single` "
        "is the better modality with the same head, for a joint fusion with the better head "
        "(`its_head`), chosen by the same samples, which favours it. "
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
