import numpy as np
import pytest
from mmbench_alignments.procrustes import Procrustes
from scipy.linalg import orthogonal_procrustes
from scipy.spatial.distance import pdist
from scipy.stats import ortho_group
from sklearn.decomposition import PCA


def rng_of(seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("reference", [None, "b"])
def test_two_modalities_equal_orthogonal_procrustes(reference):
    rng = rng_of(0)
    features = {"a": rng.normal(size=(30, 5)) + 3, "b": rng.normal(size=(30, 5)) - 1}
    fixed, moved = ("a", "b") if reference is None else ("b", "a")
    fitted = Procrustes(reference=reference).fit(features, None)
    test = {name: rng.normal(size=(7, 5)) for name in features}
    target, part = features[fixed], features[moved]
    turn, _ = orthogonal_procrustes(part - part.mean(axis=0), target - target.mean(axis=0))
    aligned = fitted.transform(test)
    expected = (test[moved] - part.mean(axis=0)) @ turn + target.mean(axis=0)
    np.testing.assert_allclose(aligned[moved], expected, atol=1e-10)
    np.testing.assert_allclose(aligned[fixed], test[fixed], atol=1e-12)


@pytest.mark.parametrize("n_modalities", [2, 3, 6])
def test_planted_turns_are_undone_on_new_samples(n_modalities):
    """Of different scale, and of different width: a narrow one in more dimensions."""
    rng = rng_of(1)
    truth = rng.normal(size=(80, 4))
    features = {"m0": truth}
    for i in range(1, n_modalities):
        axes = ortho_group.rvs(4 + i, random_state=i)[:4]
        features[f"m{i}"] = truth @ axes + rng.normal(size=4 + i)
    fitted = Procrustes().fit({name: part[:50] for name, part in features.items()})
    aligned = fitted.transform({name: part[50:] for name, part in features.items()})
    expected = np.pad(truth[50:], ((0, 0), (0, n_modalities - 1)))
    for part in aligned.values():
        np.testing.assert_allclose(part, expected, atol=1e-8)


def test_distances_within_a_modality_stay_as_they_were():
    rng = rng_of(2)
    features = {m: rng.normal(size=(25, w)) for m, w in {"a": 3, "b": 7, "c": 5}.items()}
    aligned = Procrustes().fit(features).transform(features)
    for name, part in features.items():
        assert aligned[name].shape == (25, 7)
        np.testing.assert_allclose(pdist(aligned[name]), pdist(part), rtol=1e-10)


def configurations():
    """Noisy copies, turned and scaled, of which each is far from every other."""
    rng = rng_of(3)
    truth = rng.normal(size=(40, 4))
    return {
        f"m{i}": (i + 1)
        * (truth + 0.7 * rng.normal(size=(40, 4)))
        @ ortho_group.rvs(4, random_state=i)
        for i in range(4)
    }


def loss(parts):
    """Mean squared distance from the mean, each part of norm 1."""
    scaled = np.stack([p - p.mean(axis=0) for p in parts])
    scaled /= np.linalg.norm(scaled, axis=(1, 2), keepdims=True)
    return ((scaled - scaled.mean(axis=0)) ** 2).sum() / len(scaled)


def test_the_consensus_is_a_fixed_point_and_better_than_turning_onto_one():
    features = configurations()
    fitted = Procrustes().fit(features)
    aligned = list(fitted.transform(features).values())
    scaled = [part - part.mean(axis=0) for part in aligned]
    scaled = [part / np.linalg.norm(part) for part in scaled]
    consensus = np.mean(scaled, axis=0)
    for part in scaled:  # no part would turn further towards the consensus
        np.testing.assert_allclose(orthogonal_procrustes(part, consensus)[0], np.eye(4), atol=1e-3)
    first = features["m0"]
    pairwise = [part @ orthogonal_procrustes(part, first)[0] for part in features.values()]
    assert loss(aligned) < loss(pairwise) - 1e-4
    losses = [row["loss"] for row in fitted.history_]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] == pytest.approx(loss(aligned), abs=1e-8)


def test_the_reference_only_chooses_the_axes():
    features = configurations()
    by_first = Procrustes().fit(features).transform(features)
    by_third = Procrustes(reference="m2").fit(features).transform(features)
    np.testing.assert_allclose(by_third["m2"], features["m2"], atol=1e-10)
    np.testing.assert_allclose(by_first["m0"], features["m0"], atol=1e-10)
    both = [np.hstack(list(aligned.values())) for aligned in (by_first, by_third)]
    np.testing.assert_allclose(loss(by_third.values()), loss(by_first.values()), rtol=1e-4)
    np.testing.assert_allclose(pdist(both[0]), pdist(both[1]), rtol=1e-2)


def test_reducing_takes_principal_components_of_the_wider():
    rng = rng_of(4)
    features = {
        "wide": rng.normal(size=(40, 9)) * np.arange(1, 10),
        "narrow": rng.normal(size=(40, 3)),
    }
    aligned = Procrustes(widths="reduce", reference="narrow").fit(features).transform(features)
    scores = PCA(3).fit_transform(features["wide"])
    narrow = features["narrow"]
    turn, _ = orthogonal_procrustes(scores, narrow - narrow.mean(axis=0))
    np.testing.assert_allclose(aligned["wide"], scores @ turn + narrow.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(aligned["narrow"], narrow, atol=1e-12)


def test_more_columns_than_samples_keep_the_distances_of_the_training_part():
    rng = rng_of(5)
    features = {"a": rng.normal(size=(10, 2000)), "b": rng.normal(size=(10, 3))}
    aligned = Procrustes().fit(features).transform(features)
    for name, part in features.items():
        assert aligned[name].shape == (10, 9)
        np.testing.assert_allclose(pdist(aligned[name]), pdist(part), rtol=1e-8)
