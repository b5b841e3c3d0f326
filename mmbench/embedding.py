"""The step that embeds: items of one modality to vectors in the store, chunk by chunk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from mmbench.corruption.items import open_items
from mmbench.data import pick
from mmbench.errors import PluginError
from mmbench.pipeline import Clock, Labels, checked_matrix
from mmbench.sequences import checked_sequences
from mmbench.store import Writer
from mmbench.workshop import Workshop, progress

CHUNK = 64


def embed(spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock) -> None:
    """Embed all samples of one modality; a trained encoder is first fitted on its training part."""
    items = open_items(spec, spec["modality"], workshop, spec.get("corruption"))
    missing = workshop.array(spec["missing"]) if spec["missing"] else np.zeros(len(items), bool)
    if spec["train"] is None:
        with clock.phase("embed"):
            encoder = workshop.encoder(spec["encoder"])
    else:
        with clock.phase("fit"):
            encoder = fit_encoder(spec, items, missing, workshop)
        keep_history(encoder, writer)
    _store(encoder, items, missing, spec, writer, clock)


def embed_corrupted(
    spec: Mapping[str, Any], workshop: Workshop, writer: Writer, clock: Clock
) -> None:
    """Embed test samples as noise leaves them, by the encoder of a job that embedded them clean."""
    clean, modality = spec["clean"], spec["clean"]["modality"]
    rows = workshop.array(spec["test"])
    items = pick(open_items(clean, modality, workshop, spec["corruption"]), rows)
    missing = np.zeros(len(rows), bool)
    if clean["missing"]:
        missing = workshop.array(clean["missing"])[rows]
    with clock.phase("embed"):
        if clean["train"] is None:
            encoder = workshop.encoder(clean["encoder"])
        else:
            encoder = workshop.fitted(spec["of"], lambda: fitted_encoder(clean, workshop))
    _store(encoder, items, missing, clean, writer, clock)


def _store(
    encoder: Any,
    items: Sequence[Any],
    missing: np.ndarray,
    spec: Mapping[str, Any],
    writer: Writer,
    clock: Clock,
) -> None:
    with clock.phase("embed"):
        if spec["sequences"]:
            _encode_sequences(encoder, items, missing, writer)
        else:
            _encode(encoder, items, missing, spec["sparse"], writer)
    if missing.any():
        writer.save("missing", missing)


def fitted_encoder(spec: Mapping[str, Any], workshop: Workshop) -> Any:
    """Return the trained encoder of an embedding job, fitted anew."""
    items = open_items(spec, spec["modality"], workshop, spec.get("corruption"))
    missing = workshop.array(spec["missing"]) if spec["missing"] else np.zeros(len(items), bool)
    return fit_encoder(spec, items, missing, workshop)


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


def _chunks(
    encoder: Any, items: Sequence[Any], known: np.ndarray
) -> Iterator[tuple[np.ndarray, list[Any]]]:
    """Give the items that are there in chunks of a fixed size, and their rows."""
    size = max(CHUNK, int(getattr(encoder, "chunk", CHUNK)))
    for start in range(0, len(known), size):
        progress(start, len(known))
        rows = known[start : start + size]
        yield rows, [items[i] for i in rows]


def _encode_sequences(
    encoder: Any, items: Sequence[Any], missing: np.ndarray, writer: Writer
) -> None:
    """Stream sequences into the store; that of a missing item is empty."""
    lengths = np.zeros(len(items), dtype=np.int64)
    columns = 0
    with writer.growing("values") as append:
        for rows, given in _chunks(encoder, items, np.flatnonzero(~missing)):
            made = checked_sequences(encoder.encode_sequence(given), len(rows))
            columns = columns or made.values.shape[1]
            if made.values.shape[1] != columns:
                raise PluginError(
                    f"encode_sequence returned {made.values.shape[1]} columns after {columns}"
                )
            append(made.values)
            lengths[rows] = made.lengths
    if not columns:
        raise PluginError("every item is missing")
    writer.save("values.offsets", np.concatenate([[0], np.cumsum(lengths)]))


def _encode(
    encoder: Any, items: Sequence[Any], missing: np.ndarray, is_sparse: bool, writer: Writer
) -> None:
    """Stream one vector per item into the store; that of a missing item is NaN, or empty."""
    made = _vectors(encoder, items, np.flatnonzero(~missing), is_sparse)
    if is_sparse:
        _write_sparse(made, len(items), writer)
        return
    out: np.ndarray | None = None
    for rows, values in made:
        if out is None:
            out = writer.memmap("values", (len(items), values.shape[1]), np.float32)
            out[missing] = np.nan
        out[rows] = values
    if out is None:
        raise PluginError("every item is missing")


def _vectors(
    encoder: Any, items: Sequence[Any], known: np.ndarray, is_sparse: bool
) -> Iterator[tuple[np.ndarray, Any]]:
    """Give rows and their vectors, chunk by chunk, all of one width."""
    from scipy import sparse

    columns = None
    for rows, given in _chunks(encoder, items, known):
        values = checked_matrix(encoder.encode(given), len(rows), "encode")
        if values.dtype != np.float32:
            raise PluginError(f"encode returned {values.dtype}; float32 was expected")
        if sparse.issparse(values) != is_sparse:
            shape = "a CSR matrix" if is_sparse else "a dense array"
            raise PluginError(f"encode did not return {shape}, as it was registered to")
        columns = columns or values.shape[1]
        if values.shape[1] != columns:
            raise PluginError(f"encode returned {values.shape[1]} columns after {columns}")
        yield rows, values


def _write_sparse(made: Iterator[tuple[np.ndarray, Any]], n: int, writer: Writer) -> None:
    """Write n rows of a CSR matrix, those that are not given empty, without keeping it."""
    from scipy.sparse import get_index_dtype

    lengths = np.zeros(n, dtype=np.int64)
    columns = 0
    with writer.growing("values.data") as data, writer.growing("values.indices") as indices:
        for rows, values in made:
            ordered, columns = values.sorted_indices(), values.shape[1]
            data(ordered.data)
            indices(ordered.indices.astype(get_index_dtype(maxval=columns)))
            lengths[rows] = np.diff(ordered.indptr)
    if not columns:
        raise PluginError("every item is missing")
    starts = np.concatenate([[0], np.cumsum(lengths)])
    writer.save("values.indptr", starts.astype(get_index_dtype(maxval=int(starts[-1]))))
    writer.save("values.shape", np.array([n, columns]))


def keep_history(fitted: Any, writer: Writer) -> None:
    """Record the curves that a plugin's ``fit`` left in ``history_``."""
    history = getattr(fitted, "history_", None)
    if history is not None:
        writer.meta["history"] = [
            {str(k): v if isinstance(v, str) else float(v) for k, v in row.items()}
            for row in history
        ]
