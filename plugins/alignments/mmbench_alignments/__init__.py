"""Alignments, all unsupervised: canonical correlation, Procrustes, CORAL."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_alignments(register: Callable[..., None]) -> None:
    """Register the alignments; the libraries they need are imported when one is built."""
    register(
        "cca",
        "mmbench_alignments.cca:CanonicalCorrelation",
        summary="canonical correlation of two or more modalities (MAXVAR, Kettenring 1971)",
    )
    register(
        "procrustes",
        "mmbench_alignments.procrustes:Procrustes",
        summary="modalities turned onto each other (Schönemann 1966, Gower 1975)",
    )
    register(
        "coral",
        "mmbench_alignments.coral:Coral",
        summary="covariances made equal to a reference's (Sun, Feng and Saenko 2016)",
    )
