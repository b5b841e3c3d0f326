"""The step that embeds: items of one modality to rows in the store, chunk by chunk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.data import pick
from mmbench.errors import PluginError
from mmbench.pipeline import Clock, Labels, checked_matrix
from mmbench.store import Writer
from mmbench.workshop import Workshop, progress

CHUNK = 64


def embed(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Embed all samples of one modality; a trained encoder is first fitted on its training part."""
    items = pick(workshop.items(spec["dataset"], spec["modality"]), workshop.array(spec["rows"]))
    missing = workshop.array(spec["missing"]) if spec["missing"] else np.zeros(len(items), bool)
    if spec["train"] is None:
        with clock.phase("embed"):
            encoder = workshop.encoder(spec["encoder"])
    else:
        with clock.phase("fit"):
            encoder = fit_encoder(spec, items, missing, workshop)
        keep_history(encoder, writer)
    with clock.phase("embed"):
        _encode(encoder, items, missing, spec["sparse"], writer)
    if missing.any():
        writer.save("missing", missing)


def fit_encoder(
    spec: Mapping[str, Any], items: Sequence[Any], missing: np.ndarray, workshop: Workshop
) -> Any:
    """Fit a trained encoder on its training part alone."""

    def part(name: str) -> tuple[Sequence[Any], np.ndarray | None] | None:
        if spec[name] is None:
            return None
        rows = workshop.array(spec[name])
        known = ~missing[rows]
        labels = workshop.array(spec[f"{name}_labels"])[known] if spec["supervised"] else None
        return pick(items, rows[known]), labels

    train = part("train")
    assert train is not None
    labels, numbering = train[1], None
    if labels is not None:
        numbering = Labels.of(labels)
        labels = numbering.codes
    validation = part("validation")
    if validation is not None and numbering is not None:
        assert validation[1] is not None
        codes = numbering.renumber(validation[1])
        kept = np.flatnonzero(codes >= 0)
        validation = (pick(validation[0], kept), codes[kept])
    k = None if numbering is None else len(numbering.present)
    encoder = workshop.build(spec["encoder"], k)
    encoder.fit(train[0], labels, validation=validation)
    return encoder


def _encode(
    encoder: Any, items: Sequence[Any], missing: np.ndarray, is_sparse: bool, writer: Writer
) -> None:
    """Encode in chunks of a fixed size and stream the rows into the store."""
    from scipy import sparse

    known = np.flatnonzero(~missing)
    size = max(CHUNK, int(getattr(encoder, "chunk", CHUNK)))
    out: np.ndarray | None = None
    pieces: list[Any] = []
    for start in range(0, len(known), size):
        progress(start, len(known))
        rows = known[start : start + size]
        values = checked_matrix(encoder.encode([items[i] for i in rows]), len(rows), "encode")
        if values.dtype != np.float32:
            raise PluginError(f"encode returned {values.dtype}; float32 was expected")
        if sparse.issparse(values) != is_sparse:
            shape = "a CSR matrix" if is_sparse else "a dense array"
            raise PluginError(f"encode did not return {shape}, as it was registered to")
        if is_sparse:
            pieces.append(values)
            continue
        if out is None:
            out = writer.memmap("values", (len(items), values.shape[1]), np.float32)
            out[missing] = np.nan
        if values.shape[1] != out.shape[1]:
            raise PluginError(f"encode returned {values.shape[1]} columns after {out.shape[1]}")
        out[rows] = values
    if out is None and not pieces:
        raise PluginError("every item is missing")
    if is_sparse:
        stacked = sparse.vstack(pieces, format="csr", dtype=np.float32)
        position = np.zeros(len(items), dtype=np.int64)
        position[known] = np.arange(len(known))
        counts = np.where(missing, 0, np.diff(stacked.indptr)[position])
        indptr = np.concatenate([[0], np.cumsum(counts)])
        csr = (stacked.data, stacked.indices, indptr)
        writer.save("values", sparse.csr_matrix(csr, (len(items), stacked.shape[1])))


def keep_history(fitted: Any, writer: Writer) -> None:
    """Record the curves that a plugin's ``fit`` left in ``history_``."""
    history = getattr(fitted, "history_", None)
    if history is not None:
        writer.meta["history"] = [
            {str(k): v if isinstance(v, str) else float(v) for k, v in row.items()}
            for row in history
        ]
