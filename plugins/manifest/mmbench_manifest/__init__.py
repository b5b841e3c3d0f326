"""Data sets described by a manifest: a csv, tsv, jsonl or parquet file with a row per sample."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register ``manifest``."""
    register(
        "manifest",
        "mmbench_manifest.dataset:Manifest",
        summary="Samples described by a csv, tsv, jsonl or parquet file",
    )
