"""Every fusion in what real data may bring: it works, or says in one line why not."""

import inspect
import pkgutil

import mmbench_fusions
import numpy as np
import pytest

FUSIONS = {name: (target, flags) for name, target, flags, _ in mmbench_fusions.FUSIONS}


class Situation:
    """Training and test samples, and the heads' probabilities of both."""

    def __init__(self, widths, n, k, *, varying=None, unseen=False):
        rng = np.random.default_rng(0)
        self.labels = np.arange(n) % k
        self.k = k

        def features(rows):
            made = {f"m{i}": rng.normal(size=(rows, width)) for i, width in enumerate(widths)}
            if varying is not None:
                for part in made.values():
                    part[:, varying:] = 0.1
            return made

        def probabilities(rows):
            return {f"m{i}": rng.dirichlet(np.ones(k), rows) for i in range(len(widths))}

        self.features = features(n), features(7)
        self.probabilities = probabilities(n), probabilities(7)
        if unseen:  # an inner fold that does not train on the last class
            for part in self.probabilities[0].values():
                part[: n // 2, -1] = 0
                part[: n // 2] /= part[: n // 2].sum(axis=1, keepdims=True)
        for part in (p for given in (*self.features, *self.probabilities) for p in given.values()):
            part.flags.writeable = False

    def fitted(self, name, **options):
        target, flags = FUSIONS[name]
        build = pkgutil.resolve_name(f"mmbench_fusions.{target}")
        given = {"seed": 7} if "seed" in inspect.signature(build).parameters else {}
        fusion = build(**options, **given)
        if flags.get("trained"):
            inputs = self.inputs(name)[0]
            more = {"out_of_fold": self.probabilities[0]} if flags.get("out_of_fold") else {}
            fusion.fit(inputs, self.labels, **more)
        return fusion

    def inputs(self, name):
        feature_level = FUSIONS[name][1]["level"] == "feature"
        return self.features if feature_level else self.probabilities

    def check(self, name, **options):
        fusion = self.fitted(name, **options)
        feature_level = FUSIONS[name][1]["level"] == "feature"
        apply = fusion.transform if feature_level else fusion.predict_proba
        for inputs in self.inputs(name):
            before = {m: part.copy() for m, part in inputs.items()}
            rows = len(next(iter(inputs.values())))
            made = apply(inputs)
            assert made.dtype == np.float64
            assert made.shape[0] == rows
            assert np.isfinite(made).all()
            assert not any(np.shares_memory(made, part) for part in inputs.values())
            if not feature_level:
                assert made.shape[1] == self.k
                assert made.min() >= 0
                np.testing.assert_allclose(made.sum(axis=1), 1, rtol=1e-9)
            np.testing.assert_array_equal(apply(inputs), made)
            alone = apply({m: part[3:4] for m, part in inputs.items()})
            np.testing.assert_allclose(alone[0], made[3], rtol=1e-6, atol=1e-7)
            for m, part in inputs.items():
                np.testing.assert_array_equal(part, before[m])
        other = self.fitted(name, **options)
        repeat = other.transform if feature_level else other.predict_proba
        test = self.inputs(name)[1]
        np.testing.assert_array_equal(repeat(test), apply(test))


SITUATIONS = {
    "one modality": lambda: Situation([3], 20, 2),
    "ten modalities": lambda: Situation([1] * 10, 20, 2),
    "unequal widths": lambda: Situation([1, 9, 4], 30, 3),
    "one column": lambda: Situation([1, 1], 20, 2),
    "more columns than samples": lambda: Situation([40, 60], 12, 2),
    "two samples a class": lambda: Situation([3, 2], 8, 4),
    "constant features": lambda: Situation([3, 2], 20, 2, varying=0),
    "a class absent from a fold": lambda: Situation([3, 2], 30, 3, unseen=True),
}


@pytest.mark.parametrize("situation", SITUATIONS)
@pytest.mark.parametrize("name", FUSIONS)
def test_fusions_work(name, situation):
    SITUATIONS[situation]().check(name)
    if name == "stacking":
        SITUATIONS[situation]().check(name, meta="svm")


@pytest.mark.parametrize("name", FUSIONS)
def test_a_thousand_classes(name):
    options = {}
    if name == "random-forest-stacking":
        options = {"n_estimators": 2, "max_depth": 3}
    Situation([2], 1000 if "kernel" in name else 2000, 1000).check(name, **options)


def test_a_thousand_classes_are_too_many_for_pairs():
    with pytest.raises(ValueError, match="at most 250 classes, and there are 1000") as told:
        Situation([2, 2], 2000, 1000).fitted("stacking", meta="svm")
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "name", [name for name, (_, flags) in FUSIONS.items() if flags["level"] == "feature"]
)
def test_ten_thousand_columns(name):
    varying = 400 if name == "feature-selection" else None  # its time is linear in them
    Situation([10_000], 8, 2, varying=varying).check(name)
