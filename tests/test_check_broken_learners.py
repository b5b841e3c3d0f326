"""Every alignment, fusion, head and metric that breaks its contract is caught by its check."""

from __future__ import annotations

import pytest

from tests.verdicts import assert_caught, of_file

BROKEN = {
    "broken_alignments": {
        "no-fit": "trained-flag",
        "returns-a-tuple": "runs",
        "renames-modalities": "modalities",
        "drops-the-third": "modality-count",
        "needs-labels": "unsupervised",
        "supervised-in-name": "supervised-flag",
        "fit-returns-another": "fit-returns-self",
        "means-of-the-batch": "batch-size",
        "centres-in-place": "input-untouched",
        "peeks-at-the-base": "hidden-rows",
        "means-on-the-class": "isolation",
        "scaled-by-nothing": "tiny-fit",
        "sparse-in-name": "sparse-input",
        "missing-in-name": "missing",
    },
    "broken_fusions": {
        "decision-as-feature": "runs",
        "out-of-fold-in-name": "runs",
        "stacked-on-top": "rows",
        "out-of-fold-not-trained": "flags",
        "scaled-by-the-batch": "batch-size",
        "as-wide-as-the-batch": "width",
        "blocks-backwards": "thousandth",
        "in-place": "input-untouched",
        "spread-over-modalities": "modality-count",
        "needs-three": "modality-count",
        "sparse-in-name": "sparse-input",
        "missing-in-name": "missing",
        "unit-length": "degenerate",
        "wrong-distances": "distance-weights",
        "distances-of-some": "distance-weights",
        "distances-that-are-none": "distance-weights",
        "distances-of-more": "distance-weights",
        "peeks-at-the-base": "hidden-rows",
        "best-so-far": "isolation",
    },
    "broken_decisions": {
        "sums": "probabilities",
        "one-column-more": "probabilities",
        "four-classes": "class-count",
        "reversed": "label-order",
        "three-by-name": "modality-count",
        "product-of-nothing": "certainty",
        "priors-of-the-batch": "batch-size",
        "normalises-in-place": "input-untouched",
        "missing-in-name": "decision-missing",
        "missing-for-all": "decision-missing",
        "sparse-probabilities": "flags",
        "nan-of-one-class": "tiny-fit",
        "order-of-appearance": "label-order",
        "peeks-at-the-base": "hidden-rows",
        "tallies": "isolation",
        "joint-scores": "probabilities",
        "joint-that-tunes-nothing": "finetune-methods",
        "joint-reversed": "label-order",
        "joint-of-the-batch": "batch-size",
        "joint-without-validation": "runs",
        "joint-stops-too-early": "validation",
        "joint-of-noise": "determinism",
    },
    "broken_heads": {
        "regression": "runs",
        "order-of-appearance": "label-order",
        "order-of-text": "label-order",
        "not-normalised": "probabilities",
        "negative": "probabilities",
        "pairwise-decisions": "probabilities",
        "one-column-of-two": "class-count",
        "two-classes": "class-count",
        "nan-of-one-class": "tiny-fit",
        "no-fit": "trained-flag",
        "fit-returns-nothing": "fit-returns-self",
        "seed-left-unused": "determinism",
        "scales-in-place": "input-untouched",
        "scaled-by-the-batch": "batch-size",
        "peeks-at-the-base": "hidden-rows",
        "peeks-at-hidden-labels": "hidden-rows",
        "neighbours-of-all-folds": "isolation",
        "wider-by-distances": "distances",
        "sparse-in-name": "sparse-input",
        "missing-in-name": "missing",
        "kind-of-an-encoder": "flags",
        "one-object-for-all": "builds",
    },
    "broken_metrics": {
        "wrong-direction": "direction",
        "constant": "direction",
        "no-direction": "attributes",
        "needs-something-else": "attributes",
        "says-labels": "needs",
        "says-probabilities": "needs",
        "per-sample": "value",
        "text": "value",
        "nan": "value",
        "runs-of-luck": "sample-order",
        "running-mean": "state",
        "sorts-labels": "input-untouched",
        "clips-in-place": "input-untouched",
        "needs-every-class": "odd-cases",
        "infinite": "odd-cases",
    },
}


@pytest.mark.parametrize(
    ("file", "name", "check"),
    [(file, name, check) for file, table in BROKEN.items() for name, check in table.items()],
)
def test_a_broken_one_is_caught(file: str, name: str, check: str) -> None:
    assert_caught(of_file(file)[name], check)


@pytest.mark.parametrize("file", BROKEN)
def test_none_is_forgotten(file: str) -> None:
    assert of_file(file).keys() == BROKEN[file].keys()
