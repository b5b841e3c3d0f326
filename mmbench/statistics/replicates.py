"""Tests on the scores of folds and repeated splits, whose training parts overlap."""

from __future__ import annotations

import math

import numpy as np

from mmbench.statistics.paired import Comparison


def corrected_resampled_t(
    differences: np.ndarray, n_train: float, n_test: float, *, level: float = 0.95
) -> Comparison:
    """Compare two methods by their scores on the same folds or splits.

    The scores of folds depend on one another, as their training parts overlap: a plain t-test
    would be too sure. The corrected resampled t-test of Nadeau and Bengio (2003, "Inference for
    the generalization error", Machine Learning 52) multiplies the variance of the differences by
    1/J + n_test/n_train instead of 1/J, for J scores. Where all differences are the same there is
    no t: the p-value is then that of the sign test.

    Parameters
    ----------
    differences : ndarray of float, shape (J,)
        Score of A minus score of B, on each split; two or more.
    n_train, n_test : float
        Samples of a training and of a test part; means, where they differ.
    level : float
        Of the confidence interval.

    Returns
    -------
    Comparison
        The mean difference with its interval. The effect is the mean difference over the standard
        deviation of the differences (Cohen's d_z; NaN where they do not vary).

    Raises
    ------
    ValueError
        There are fewer than two differences, or an empty part.
    """
    from scipy import stats

    values = np.asarray(differences, dtype=np.float64)
    count = len(values)
    if values.ndim != 1 or count < 2 or n_train <= 0 or n_test <= 0:
        raise ValueError(
            f"differences of shape {values.shape}, n_train={n_train}, n_test={n_test}: expected "
            "two differences or more, and parts that are not empty"
        )
    mean, deviation = float(values.mean()), float(values.std(ddof=1))
    scale = deviation * math.sqrt(1 / count + n_test / n_train)
    if scale > 0:
        p_value = float(2 * stats.t.sf(abs(mean) / scale, count - 1))
        reach = float(stats.t.ppf((1 + level) / 2, count - 1)) * scale
        effect = mean / deviation
    else:
        p_value, reach, effect = (2.0 ** (1 - count) if mean else 1.0), 0.0, math.nan
    return Comparison(
        estimate=mean,
        low=mean - reach,
        high=mean + reach,
        p_value=p_value,
        test="corrected resampled t",
        effect=effect,
        effect_name="Cohen's d_z",
        n=count,
    )
