"""The power of paired tests, and the smallest difference that a test set shows."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, multinomial
from statsmodels.stats.power import normal_power_het

from mmbench.statistics.power import mcnemar_power, smallest_difference


@cache
def is_told_apart(won: int, lost: int, alpha: float = 0.05) -> bool:
    return won + lost > 0 and bool(binomtest(won, won + lost).pvalue <= alpha)


@pytest.mark.parametrize(
    ("n", "difference", "discordance", "alpha"),
    [(1, 0.5, 0.5, 0.05), (12, 0.3, 0.5, 0.05), (12, -0.4, 0.4, 0.05), (15, 0.2, 1.0, 0.2)],
)
def test_power_is_that_of_all_possible_outcomes(
    n: int, difference: float, discordance: float, alpha: float
) -> None:
    """Every table of won, lost and like samples, by its multinomial probability."""
    chances = [(discordance + difference) / 2, (discordance - difference) / 2, 1 - discordance]
    tables = [(won, lost, n - won - lost) for won in range(n + 1) for lost in range(n + 1 - won)]
    expected = math.fsum(
        multinomial.pmf(table, n, chances) for table in tables if is_told_apart(*table[:2], alpha)
    )
    found = mcnemar_power(n, difference, discordance, level=1 - alpha)
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("difference", "discordance"), [(0.01, 0.05), (0.02, 0.3), (-0.01, 0.1)])
def test_power_nears_that_of_the_normal_distribution(difference: float, discordance: float) -> None:
    """Connor (1987): a z-test whose variances differ between hypotheses."""
    n = 6000
    expected = normal_power_het(
        abs(difference),
        n,
        0.05,
        std_null=math.sqrt(discordance),
        std_alternative=math.sqrt(discordance - difference**2),
    )
    found = mcnemar_power(n, difference, discordance)
    assert found == pytest.approx(expected, abs=0.03)


def test_power_is_how_often_the_test_finds_it() -> None:
    draws, chances = 4000, [0.14, 0.06, 0.8]
    tables = np.random.default_rng(3).multinomial(150, chances, size=draws)
    share = np.mean([is_told_apart(int(won), int(lost)) for won, lost, _ in tables])
    power = mcnemar_power(150, 0.08, 0.2)
    assert 0.3 < power < 0.9
    assert share == pytest.approx(power, abs=4 * math.sqrt(power * (1 - power) / draws))


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(20, 800),
    discordance=st.floats(0, 1),
    power=st.floats(0.5, 0.95),
)
@example(n=20, discordance=1e-308, power=0.5)
def test_the_smallest_difference_is_shown_with_the_power(
    n: int, discordance: float, power: float
) -> None:
    smallest = smallest_difference(n, discordance, power=power)
    at = max(discordance, smallest)
    assert mcnemar_power(n, smallest, at) == pytest.approx(power, abs=1e-6)
    assert smallest_difference(2 * n, discordance, power=power) < smallest


def test_a_test_set_can_be_too_small_to_show_anything() -> None:
    """Five samples at their clearest have a p-value of 2/32, six of 2/64."""
    assert math.isnan(smallest_difference(5))
    assert 0.9 < smallest_difference(6) < 1
    assert mcnemar_power(100, 0.0, 0.0) == 0


@pytest.mark.parametrize("wrong", [(0, 0.1, 0.2), (10, 0.3, 0.2), (10, 0.1, 1.2)])
def test_no_such_classifiers(wrong: tuple[int, float, float]) -> None:
    with pytest.raises(ValueError, match=f"n={wrong[0]}, difference={wrong[1]}"):
        mcnemar_power(*wrong)
