"""A planted XOR: each modality shows one bit, and the label says whether the two differ."""

import inspect
import pkgutil

import mmbench_fusions
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.svm import SVC

N = 1000
FUSIONS = {name: (target, flags) for name, target, flags, _ in mmbench_fusions.FUSIONS}
LINEAR = [
    "concat",
    "weighted-sum",
    "learned-weighted-sum",
    "mean",
    "random-projection",
    "feature-selection",
]
ADDITIVE = ["kernel-sum", "nystrom-kernel-sum"]  # of functions of one modality each
MULTIPLYING = [
    "product",
    "outer-product",
    "compact-bilinear",
    "kernel-product",
    "nystrom-kernel-product",
]
DECISIONS = [name for name, (_, flags) in FUSIONS.items() if flags["level"] == "decision"]


def planted(seed):
    rng = np.random.default_rng(seed)
    bits = rng.integers(0, 2, (2, N))
    features = {}
    for modality, bit, width in zip(("image", "text"), bits, (4, 6), strict=True):
        part = rng.normal(size=(N, width))
        part[:, 0] = 2 * bit - 1 + 0.4 * rng.normal(size=N)
        features[modality] = part
    return features, bits[0] ^ bits[1]


TRAIN, LABELS = planted(0)
TEST, TRUTH = planted(1)


@pytest.fixture(scope="module")
def probabilities():
    """Return each head's out-of-fold and test probabilities."""
    head = LogisticRegression()
    out_of_fold = {
        m: cross_val_predict(head, part, LABELS, method="predict_proba")
        for m, part in TRAIN.items()
    }
    test = {m: head.fit(part, LABELS).predict_proba(TEST[m]) for m, part in TRAIN.items()}
    return out_of_fold, test


def build(name, **options):
    made = pkgutil.resolve_name(f"mmbench_fusions.{FUSIONS[name][0]}")
    seed = {"seed": 0} if "seed" in inspect.signature(made).parameters else {}
    return made(**options, **seed)


def linear_accuracy(name, out_of_fold):
    fusion, flags = build(name), FUSIONS[name][1]
    if flags.get("trained"):
        more = {"out_of_fold": out_of_fold} if flags.get("out_of_fold") else {}
        fusion.fit(TRAIN, LABELS, **more)
    head = LogisticRegression(max_iter=5000).fit(fusion.transform(TRAIN), LABELS)
    return head.score(fusion.transform(TEST), TRUTH)


def test_every_fusion_but_max_is_here():
    """The maximum of columns is neither linear nor a product: it solves half of an XOR."""
    known = {*LINEAR, *ADDITIVE, *MULTIPLYING, *DECISIONS, "max"}
    assert known == set(FUSIONS)


@pytest.mark.parametrize("name", [*LINEAR, *ADDITIVE])
def test_sums_over_modalities_are_at_chance(name, probabilities):
    assert 0.4 < linear_accuracy(name, probabilities[0]) < 0.6


@pytest.mark.parametrize("name", MULTIPLYING)
def test_products_of_modalities_solve_it(name, probabilities):
    assert linear_accuracy(name, probabilities[0]) > 0.9


def test_an_rbf_machine_on_the_concatenation_solves_it():
    fusion = build("concat")
    head = SVC().fit(fusion.transform(TRAIN), LABELS)
    assert head.score(fusion.transform(TEST), TRUTH) > 0.9


@pytest.mark.parametrize("name", [*DECISIONS, "stacking-svm"])
def test_decisions_of_single_modalities_are_at_chance(name, probabilities):
    out_of_fold, test = probabilities
    fusion = build("stacking", meta="svm") if name == "stacking-svm" else build(name)
    if hasattr(fusion, "fit"):
        fusion.fit(out_of_fold, LABELS)
    accuracy = (fusion.predict_proba(test).argmax(axis=1) == TRUTH).mean()
    assert 0.4 < accuracy < 0.6
