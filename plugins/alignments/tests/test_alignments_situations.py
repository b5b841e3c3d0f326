"""What holds for all alignments: awkward shapes, rows on their own, fixed signs."""

import numpy as np
import pytest
from mmbench_alignments.cca import CanonicalCorrelation
from mmbench_alignments.coral import Coral
from mmbench_alignments.procrustes import Procrustes

ALIGNMENTS = [CanonicalCorrelation, Procrustes, Coral]
OPTIONS = [
    *((build, {}) for build in ALIGNMENTS),
    (CanonicalCorrelation, {"components": 1, "regularisation": 1.0}),
    (Procrustes, {"widths": "reduce", "reference": "m1"}),
    (Coral, {"regularisation": 0.0, "reference": "m1"}),
]


def shared(n, widths, seed=0, noise=0.5):
    """Standardised features of a common latent variable of three dimensions."""
    rng = np.random.default_rng(seed)
    latent = rng.normal(size=(n, 3))
    features = {}
    for i, width in enumerate(widths):
        part = latent @ rng.normal(size=(3, width)) + noise * rng.normal(size=(n, width))
        features[f"m{i}"] = (part - part.mean(axis=0)) / part.std(axis=0)
    return features


@pytest.mark.parametrize(("build", "options"), OPTIONS)
@pytest.mark.parametrize(
    ("n", "widths"),
    [
        (50, (4, 4)),
        (50, (6, 3, 9)),
        (20, (4,) * 10),
        (12, (1, 1)),
        (12, (10_000, 5)),
        (12, (1, 600)),
    ],
)
def test_any_number_of_modalities_and_columns(build, options, n, widths):
    """Inputs cannot be written to: an alignment that tried would fail."""
    features = shared(n + 1, widths)
    for part in features.values():
        part.setflags(write=False)
    train = {name: part[:n] for name, part in features.items()}
    new = {name: part[n:] for name, part in features.items()}
    alignment = build(**options)
    assert alignment.fit(train, None) is alignment
    for given, rows in ((train, n), (new, 1)):
        aligned = alignment.transform(given)
        assert list(aligned) == list(given)
        assert len({part.shape for part in aligned.values()}) == 1
        for part in aligned.values():
            assert part.shape[0] == rows
            assert part.dtype == np.float64
            assert np.isfinite(part).all()


@pytest.mark.parametrize(("build", "options"), OPTIONS)
def test_a_row_does_not_depend_on_the_rows_beside_it(build, options):
    train, test = shared(40, (6, 4)), shared(15, (6, 4), seed=1)
    fitted = build(**options).fit(train)
    whole = fitted.transform(test)
    for i in range(15):
        alone = fitted.transform({name: part[i : i + 1] for name, part in test.items()})
        for name, part in alone.items():
            np.testing.assert_allclose(part, whole[name][i : i + 1], atol=1e-12)


@pytest.mark.parametrize(("build", "options"), OPTIONS)
def test_signs_do_not_depend_on_the_order_of_the_training_rows(build, options):
    train, test = shared(40, (6, 4)), shared(15, (6, 4), seed=1)
    order = np.random.default_rng(3).permutation(40)
    fitted = build(**options).fit(train)
    again = build(**options).fit({name: part[order] for name, part in train.items()})
    for name, part in fitted.transform(test).items():
        np.testing.assert_allclose(again.transform(test)[name], part, atol=1e-8)


@pytest.mark.parametrize(("build", "options"), OPTIONS)
def test_constant_columns_are_no_problem_beside_others(build, options):
    train = shared(40, (6, 4))
    train["m0"][:, 2] = 0.0
    train["m1"][:, 0] = 0.1
    for part in build(**options).fit(train).transform(train).values():
        assert np.isfinite(part).all()


@pytest.mark.parametrize("build", [Procrustes, Coral])
def test_a_constant_modality_stays_constant(build):
    train = shared(30, (4, 4)) | {"m2": np.full((30, 4), 7.0)}
    aligned = build().fit(train).transform(train)
    np.testing.assert_allclose(aligned["m2"], aligned["m2"][:1].repeat(30, axis=0), atol=1e-9)


@pytest.mark.parametrize("build", [Procrustes, Coral])
def test_an_unknown_reference_is_one_clear_line(build):
    with pytest.raises(ValueError, match="no such modality") as caught:
        build(reference="photo").fit(shared(10, (2, 3)))
    assert str(caught.value) == "reference = 'photo': no such modality; there are m0, m1"


@pytest.mark.parametrize("build", ALIGNMENTS)
def test_one_sample_is_one_clear_line(build):
    with pytest.raises(ValueError, match="two or more training samples, and there is 1"):
        build().fit({"a": np.zeros((1, 3)), "b": np.zeros((1, 2))})


@pytest.mark.parametrize("build", ALIGNMENTS)
def test_two_samples_are_enough(build):
    train = {"a": np.array([[1.0, 2.0], [-1.0, 0.5]]), "b": np.array([[3.0], [-3.0]])}
    for part in build().fit(train).transform(train).values():
        assert part.shape[0] == 2
        assert np.isfinite(part).all()
