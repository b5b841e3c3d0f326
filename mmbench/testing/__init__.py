"""The conformance kit: the checks that every plugin can be put through.

From the command line, ``mmbench check NAME``; from pytest::

    from mmbench.testing import check_encoder

    def test_it_keeps_the_contract():
        check_encoder("mean-colour")

Each function checks a registered name in processes of its own, and raises `AssertionError` with
what failed, why it matters and how to mend it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmbench.testing.examination import (
    TIMEOUT,
    NothingToCheckError,
    Verdict,
    examinations,
)
from mmbench.testing.kit import Finding

__all__ = [
    "Finding",
    "NothingToCheckError",
    "Verdict",
    "check_alignment",
    "check_dataset",
    "check_encoder",
    "check_fusion",
    "check_head",
    "check_metric",
    "check_runner",
    "examinations",
]


def _check(
    sort: str,
    name: str,
    params: Mapping[str, Any] | None,
    plugins: Sequence[str],
    timeout: float,
) -> list[Verdict]:
    from mmbench.testing.rendering import as_text

    word = f"{sort}:{name}"
    verdicts = list(examinations([word], plugins=plugins, params=params, timeout=timeout))
    if any(verdict.failures for verdict in verdicts):
        raise AssertionError("\n" + as_text(verdicts))
    return verdicts


def check_encoder(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check an encoder.

    Parameters
    ----------
    name : str
        As registered.
    params : mapping, optional
        Options to build it with; those that are required, at least.
    plugins : sequence of str
        Files and modules to load besides the installed plugins.
    timeout : float
        Seconds that one check may take.

    Returns
    -------
    list of Verdict
        One for each kind of items that it takes.

    Raises
    ------
    AssertionError
        A check failed.
    mmbench.errors.UserError
        There is no such encoder.
    """
    return _check("encoder", name, params, plugins, timeout)


def check_alignment(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check an alignment; see `check_encoder`."""
    return _check("alignment", name, params, plugins, timeout)


def check_fusion(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check a fusion of any level; see `check_encoder`."""
    return _check("fusion", name, params, plugins, timeout)


def check_head(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check a head; see `check_encoder`."""
    return _check("head", name, params, plugins, timeout)


def check_dataset(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check a dataset; see `check_encoder`."""
    return _check("dataset", name, params, plugins, timeout)


def check_metric(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check a metric; see `check_encoder`."""
    return _check("metric", name, params, plugins, timeout)


def check_runner(
    name: str,
    *,
    params: Mapping[str, Any] | None = None,
    plugins: Sequence[str] = (),
    timeout: float = TIMEOUT,
) -> list[Verdict]:
    """Check a runner; see `check_encoder`."""
    return _check("runner", name, params, plugins, timeout)
