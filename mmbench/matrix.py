"""The matrix file crossed with the catalogue: which cells there are, and which are left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmbench.catalogue import Catalogue
from mmbench.cells import Cell
from mmbench.choices import NONE, Choice, choices
from mmbench.config import FROZEN, EncoderUse, Source
from mmbench.contracts import KINDS
from mmbench.corruption.model import ADDITIVE, Corruption, corruptions
from mmbench.data import Samples
from mmbench.errors import UserError, did_you_mean
from mmbench.options import ON_TRIAL, build
from mmbench.pipeline import is_calibrated
from mmbench.searchspace import SearchSpace, check_tuning
from mmbench.splits import Part, share_of


@dataclass(frozen=True)
class Candidates:
    """What the file names for one dataset, every entry expanded into choices."""

    encoders: dict[str, list[Choice]]
    """By modality; a modality without encoders is not in it."""
    alignments: list[Choice | None]
    fusions: list[Choice]
    heads: list[Choice]


def candidates(source: Source, samples: Samples, catalogue: Catalogue) -> Candidates:
    """Find what the file names for one dataset."""
    matrix = source.matrix
    encoders = {}
    for modality, kind in samples.modalities.items():
        key = modality if modality in matrix.encoders else kind
        if key not in matrix.encoders:
            continue
        uses: list[EncoderUse] = matrix.encoders[key]
        found = choices(uses, "encoder", f"encoders.{key}", source, catalogue)
        where = f"{source.label}: encoders.{key}"
        encoders[modality] = [
            _of_kind(choice, kind, f"{modality!r} of dataset {samples.name!r}", where, catalogue)
            for choice in found
        ]
    alignments: list[Choice | None] = list(
        choices(matrix.alignments, "alignment", "alignments", source, catalogue)
    )
    if any(use.use == NONE for use in matrix.alignments):
        alignments.insert(0, None)
    fusions = choices(matrix.fusions, "fusion", "fusions", source, catalogue)
    heads = choices(matrix.heads, "head", "heads", source, catalogue)
    heads = [replace(head, calibrate=NONE) if _has_none(head) else head for head in heads]
    check_tuning(source, fusions, heads)
    return Candidates(encoders, alignments, fusions, heads)


def _has_none(head: Choice) -> bool:
    """Whether a head whose probabilities shall be calibrated has none, so that they are anyway."""
    if head.calibrate == NONE or head.broken:
        return False
    try:
        return not is_calibrated(build(head.entry, head.params, ON_TRIAL))
    except (Exception, SystemExit):  # it will fail again, and be told, where it is fitted
        return False


def _of_kind(choice: Choice, kind: str, what: str, where: str, catalogue: Catalogue) -> Choice:
    """Return an encoder as it takes a kind of items; `UserError` where it does not."""
    kinds = choice.entry.kinds
    by_frame = kind == "video" and kind not in kinds and "image" in kinds
    if choice.over_time and not by_frame:
        raise UserError(f"{where}: over_time is for encoders of images on video; {what} is {kind}")
    if by_frame:
        return replace(choice, over_time=choice.over_time or "mean")
    if kind not in kinds:
        fitting = [n for n, e in catalogue.entries["encoder"].items() if kind in e.kinds]
        raise UserError(
            f"{where}: {choice.name!r} takes {' or '.join(kinds)}, but {what} is {kind}"
            f"{did_you_mean(choice.name, fitting)}"
        )
    return choice


def check_encoder_keys(source: Source, datasets: Sequence[Samples]) -> None:
    """Raise `UserError` for an encoder entry that matches no modality and no kind."""
    modalities = {m for samples in datasets for m in samples.modalities}
    kinds = {k for samples in datasets for k in samples.modalities.values()}
    for key in source.matrix.encoders:
        if key in modalities or key in kinds:
            continue
        what = (
            f"no dataset has a modality of kind {key!r}"
            if key in KINDS
            else (f"no dataset has a modality {key!r}")
        )
        raise UserError(
            f"{source.label}: encoders.{key}: {what}{did_you_mean(key, modalities | kinds)}"
        )


def subsets(source: Source, samples: Samples, encoded: Sequence[str]) -> list[tuple[str, ...]]:
    """Return the subsets of two or more modalities to fuse, in dataset order."""
    asked = source.matrix.subsets
    if asked is None:
        return [tuple(encoded)]
    if asked == "all":
        sizes = range(min(2, len(encoded)), len(encoded) + 1)
        return [s for size in sizes for s in itertools.combinations(encoded, size)]
    made = []
    for index, names in enumerate(asked):
        for name in names:
            if name not in samples.modalities:
                break
            if name not in encoded:
                raise UserError(f"{source.label}: subsets[{index}]: {name!r} has no encoder")
        else:
            made.append(tuple(m for m in encoded if m in names))
    return list(dict.fromkeys(made))


def check_subsets(source: Source, datasets: Sequence[Samples]) -> None:
    """Raise `UserError` for a listed subset that no dataset has."""
    asked = source.matrix.subsets
    for index, names in enumerate(asked if isinstance(asked, list) else ()):
        if not any(set(names) <= set(samples.modalities) for samples in datasets):
            known = {m for samples in datasets for m in samples.modalities}
            wrong = next((n for n in names if n not in known), names[0])
            raise UserError(
                f"{source.label}: subsets[{index}]: no dataset has the modalities {names}"
                f"{did_you_mean(wrong, known)}"
            )


def cells(
    source: Source,
    samples: Samples,
    found: Candidates,
    parts: Sequence[Part],
    scheme: tuple[Any, ...],
) -> Iterator[Cell]:
    """Generate the cells of one dataset in the table's order, left-out ones with their reason."""
    matrix = source.matrix
    encoded = list(found.encoders)
    fused = subsets(source, samples, encoded)
    alone = [m for m in encoded if any(m in s for s in fused)]
    combinations: list[tuple[Any, ...]] = [
        ((m,), (e,), None, None, head, "")
        for m in alone
        for e in found.encoders[m]
        for head in found.heads
    ]
    combinations += [
        (subset, encoders, alignment, fusion, head, finetune)
        for subset in fused
        if len(subset) > 1 or len(samples.modalities) == 1
        for encoders in _encoder_tuples(source, subset, found)
        for fusion in found.fusions
        for alignment in (found.alignments if fusion.entry.level != "decision" else [None])
        for head in (found.heads if fusion.entry.level != "joint" else [None])
        for finetune in (matrix.finetune if fusion.entry.level == "joint" else [""])
    ]
    replicates = list(_replicates(matrix.seeds, matrix.train_sizes, parts, samples))
    worse = corruptions(source, samples.modalities, encoded)
    seen: set[str] = set()
    for modalities, encoders, alignment, fusion, head, finetune in combinations:
        incomplete = any(samples.missing(m).any() for m in modalities)
        tuning = SearchSpace.of(matrix.tuning, matrix.metric, fusion, head)
        trials = [
            (corruption, policy)
            for corruption in worse
            for policy in (matrix.missing if incomplete or _loses(corruption, modalities) else [""])
        ]
        for corruption, policy in trials:
            first: dict[int, int] = {}
            for seed, part, size in replicates:
                cell = Cell(
                    samples.name, modalities, encoders, fusion, head, part, seed, alignment,
                    policy, scheme, tuning=tuning, finetune=finetune, train_size=size,
                    corruption=corruption,
                )  # fmt: skip
                if cell.id in seen:
                    continue  # the same combination written twice
                seen.add(cell.id)
                reason = _left_out(cell, matrix.exclude) or _repeated(cell, first)
                yield skip(cell, reason) if reason else cell


def _loses(corruption: Corruption | None, modalities: Sequence[str]) -> bool:
    """Whether a corruption takes one of these modalities from some samples."""
    if corruption is None or not corruption.takes_away:
        return False
    return not set(modalities).isdisjoint(corruption.modalities)


def product(source: Source, samples: Samples, found: Candidates, cells: Sequence[Cell]) -> str:
    """Say what is crossed on one dataset."""
    encoders = " × ".join(f"{len(e)} {m}" for m, e in found.encoders.items())
    told = [f"{encoders} encoders", f"{len(found.fusions)} fusions", f"{len(found.heads)} heads"]
    if source.matrix.finetune != [FROZEN]:
        told.append(f"finetune {', '.join(source.matrix.finetune)} (joint fusions)")
    if worse := {str(c.corruption) for c in cells if c.corruption is not None}:
        told.append(f"clean and {len(worse)} corruptions")
    if len(source.matrix.train_sizes) > 1:
        told.append(f"{len(source.matrix.train_sizes)} training sizes")
    replicates = len({(c.seed, c.part.fold) for c in cells if not c.skipped})
    return f"{samples.name}: {'; '.join([*told, f'{replicates} seeds × folds'])}"


def skip(cell: Cell, reason: str) -> Cell:
    """Return the cell as left out."""
    return replace(cell, skipped=reason)


def _encoder_tuples(
    source: Source, subset: tuple[str, ...], found: Candidates
) -> Iterator[tuple[Choice, ...]]:
    lists = [found.encoders[m] for m in subset]
    if source.matrix.pair == "product":
        yield from itertools.product(*lists)
        return
    if len({len(each) for each in lists}) > 1:
        counts = ", ".join(f"{m} {len(e)}" for m, e in zip(subset, lists, strict=True))
        raise UserError(
            f"{source.label}: pair = 'zip' needs as many encoders for each modality ({counts})"
        )
    yield from zip(*lists, strict=True)


def _replicates(
    seeds: Sequence[int], sizes: Sequence[float], parts: Sequence[Part], samples: Samples
) -> Iterator[tuple[int, Part, float]]:
    """Give seed, part and share of the training part, which the part has been cut to."""
    for size, seed, part in itertools.product(sizes, seeds, parts):
        if part.seed is None or part.seed == seed:
            cut = part if size == 1 else share_of(samples, part, size, seed)
            yield seed, cut, size


def _left_out(cell: Cell, excluded: Sequence[Mapping[str, Any]]) -> str:
    if cell.fusion is not None and len(cell.modalities) == 1:
        return "the dataset has one modality: nothing to fuse"
    if cell.missing == "drop-modality":
        if cell.level != "decision":
            return "missing = 'drop-modality' is for decision-level fusions"
        if cell.fusion is not None and not cell.fusion.entry.handles_missing:
            return f"fusion {cell.fusion.name!r} does not handle missing modalities"
    if cell.alignment is not None and cell.fusion is not None and cell.fusion.entry.sequences:
        return f"fusion {cell.fusion.name!r} takes sequences, which are not aligned"
    if cell.trains_encoders and (reason := _frozen_only(cell)):
        return reason
    if cell.corruption is not None and (reason := _not_corrupted(cell, cell.corruption)):
        return reason
    axes = cell.axes if excluded else {}
    for index, rule in enumerate(excluded):
        if all(str(axes.get(k)) in _texts(v) for k, v in rule.items()):
            return f"left out by exclude[{index}]"
    return ""


def _not_corrupted(cell: Cell, corruption: Corruption) -> str:
    """Say why a cell is not tried under a corruption; nothing where it is."""
    if corruption.leaves_nothing(cell.modalities):
        return "the corruption leaves none of its modalities"
    if corruption.takes_away and cell.missing == "skip":
        return "missing = 'skip' leaves out the samples that the corruption is of"
    if corruption.name != ADDITIVE:
        return ""
    if len(cell.modalities) != 2:
        return "the additive projection is of two modalities"
    if cell.trains_encoders:
        return "the additive projection is of embeddings that stay as they are"
    if cell.missing == "drop-modality":
        return "the additive projection needs both modalities of each sample"
    return ""


def _frozen_only(cell: Cell) -> str:
    """Say why a cell's encoders cannot be trained with its fusion; nothing where they can."""
    fusion = cell.fusion
    assert fusion is not None
    if not fusion.entry.finetune:
        return f"fusion {fusion.name!r} does not train encoders"
    if cell.finetune == "lora" and "finetune" not in fusion.asks:
        return f"fusion {fusion.name!r} trains encoders in full, not by low-rank adapters"
    trained = [encoder for encoder in cell.encoders if encoder.can_be_tuned]
    if not trained:
        return "none of its encoders can be trained with a fusion"
    if cell.alignment is not None:
        return "alignments are of embeddings that stay as they are"
    if fusion.entry.sequences and any(encoder.entry.sequences for encoder in trained):
        return f"fusion {fusion.name!r} takes sequences, whose encoders are not trained with it"
    if cell.missing == "zero":
        return "missing = 'zero' is of embeddings that stay as they are"
    return ""


def _repeated(cell: Cell, first: dict[int, int]) -> str:
    """Say that a cell equals that of an earlier seed; ``first`` keeps each fold's first seed."""
    if cell.part.seed is not None or any("seed" in c.asks for c in cell.choices.values()):
        return ""
    if cell.tuning is not None and cell.tuning.is_drawn:
        return ""
    if cell.corruption is not None and cell.corruption.drawn:
        return ""
    seed = first.setdefault(cell.part.fold, cell.seed)
    return "" if seed == cell.seed else f"nothing in it depends on the seed: it equals seed {seed}"


def _texts(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)]


def check_finetune(source: Source, catalogue: Catalogue, fusions: Iterable[Choice]) -> None:
    """Raise `UserError` where encoders are to be trained and no fusion of the file does that."""
    asked = [each for each in source.matrix.finetune if each != FROZEN]
    if asked and not any(fusion.entry.finetune for fusion in fusions):
        able = [n for n, entry in catalogue.entries["fusion"].items() if entry.finetune]
        raise UserError(
            f"{source.label}: finetune = {asked[0]!r}: no fusion of the file trains encoders; "
            f"those that do: {', '.join(able) or 'none is installed'}"
        )


def check_exclude(source: Source, columns: Sequence[str]) -> None:
    """Raise `UserError` for an ``[[exclude]]`` key that is no axis."""
    for index, rule in enumerate(source.matrix.exclude):
        for key in rule:
            if key not in columns:
                raise UserError(
                    f"{source.label}: exclude[{index}]: unknown axis {key!r}"
                    f"{did_you_mean(key, columns)}"
                )
