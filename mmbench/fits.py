"""Fits and what they stand on: features, heads, out-of-fold probabilities and tuning, as jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmbench.cells import Cell
from mmbench.choices import NONE, Choice, adjusted
from mmbench.components import Rows
from mmbench.graph import Shared
from mmbench.measures import Measures
from mmbench.options import ON_TRIAL, build
from mmbench.pipeline import is_calibrated
from mmbench.searchspace import Drawn
from mmbench.splits import derive_seed


@dataclass(frozen=True)
class Chain:
    """The steps before a head, for some modalities of one cell."""

    cell: Cell
    modalities: tuple[str, ...]
    encoders: tuple[Choice, ...]
    alignment: Choice | None = None
    fusion: Choice | None = None

    @property
    def setting(self) -> tuple[Any, ...]:
        """All that its features depend on besides their rows."""
        return (
            self.modalities, self.encoders, self.alignment, self.fusion, *self.cell.setting
        )  # fmt: skip

    @property
    def supervised(self) -> bool:
        """Whether features are fitted with labels, so that a head over them would be too sure."""
        steps = [*self.encoders, self.alignment, self.fusion]
        return any(s is not None and s.entry.supervised for s in steps)


@dataclass(frozen=True)
class Candidate:
    """A chain and its head as tuning tries them, and the values drawn for their options."""

    chain: Chain
    head: Choice | None
    drawn: Drawn = field(default_factory=dict)

    @property
    def setting(self) -> tuple[Any, ...]:
        """All that it depends on besides its rows."""
        return self.chain.setting, self.head

    @property
    def name(self) -> str:
        """What is fitted."""
        choice = self.head or self.chain.fusion or self.chain.encoders[0]
        return choice.name


class Fits(Measures):
    """Adds the jobs that fit: alignments, fusions and heads, out of fold and tuned where asked."""

    def __init__(self, metrics: Sequence[Choice], device: str) -> None:
        super().__init__(device)
        self.metrics = metrics
        self._calibrated: dict[Choice, bool] = {}
        self._adjusted: dict[Any, list[tuple[Drawn, Choice | None, Choice | None]]] = {}
        self._made: dict[tuple[Any, ...], tuple[dict[str, Any], list[str]]] = {}
        self._measured: dict[tuple[Any, ...], tuple[dict[str, Any], list[str]]] = {}
        self._keys: dict[tuple[Any, ...], str] = {}

    # --- steps ---------------------------------------------------------------------------------

    def _features(
        self, chain: Chain, rows: Rows, head: Choice | None
    ) -> tuple[dict[str, Any], list[str]]:
        """Return what gives a chain's features, and the jobs it reads.

        Steps that are fitted are jobs of their own; a fusion that is not is applied by the reader.
        """
        known = (*_depends_on(chain, head), rows)
        if known not in self._made:
            spec, inputs = self._make_features(chain, rows, head)
            self._made[known] = Shared(spec), inputs
        return self._made[known]

    def _make_features(
        self, chain: Chain, rows: Rows, head: Choice | None
    ) -> tuple[dict[str, Any], list[str]]:
        cell, fusion = chain.cell, chain.fusion
        sequences = fusion is not None and fusion.entry.sequences
        inputs: list[str] = []
        parts: list[dict[str, Any]] = []
        for modality, encoder in zip(chain.modalities, chain.encoders, strict=True):
            if cell.trains_encoders and encoder.can_be_tuned:
                items = self.items(encoder, modality, cell, rows.samples)
                parts.append({"modality": modality, "items": items})
                continue
            key = self.embed(
                encoder, modality, cell, rows, sequences=sequences and encoder.gives_sequences
            )
            stored = {"from": key, "array": "values", "standardise": encoder.standardise}
            parts.append({"modality": modality, **stored})
            inputs.append(key)
        keeps_missing = fusion is not None and fusion.entry.handles_missing
        spec: dict[str, Any] = {
            "parts": parts,
            "missing": cell.missing if cell.missing in ("zero", "skip") else "mean",
            "impute": chain.alignment is not None or not keeps_missing,
            "sequences": sequences,
            "fusion": None,
            "train": self.graph.array(rows.train),
        }
        if chain.alignment is not None:
            key = self._align(chain.alignment, cell, spec, inputs, rows)
            spec["parts"] = [
                {"modality": m, "from": key, "array": m, "standardise": False}
                for m in chain.modalities
            ]
            inputs = [key]
        if fusion is None or fusion.entry.level != "feature":
            return spec, inputs
        component = self.component(fusion, cell, "fusion", cell.part.fold)
        if not fusion.entry.trained:
            return {**spec, "fusion": component}, inputs
        key = self._fuse(chain, component, spec, inputs, rows, head)
        part = {"modality": "fused", "from": key, "array": "values", "standardise": False}
        return {**spec, "parts": [part], "impute": True, "sequences": False}, [key]

    def _given(
        self, candidate: Candidate, rows: Rows, *, outer: bool = False, once: bool = False
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the same, as distances where these will do.

        ``outer`` says that the validation part is predicted, too, ``once`` that no other job
        reads them.
        """
        chain, fusion, head = candidate.chain, candidate.chain.fusion, candidate.head
        made = self._features(chain, rows, head)
        if head is None or not head.takes_distances:
            return made
        known = (*_depends_on(chain, head), rows, outer, once)
        if known not in self._measured:
            others = [rows.test, rows.validation] if outer else [rows.test]
            learnt = chain.alignment is not None or (fusion is not None and fusion.entry.trained)
            self._measured[known] = self.measured(
                made, chain.encoders, fusion, rows, others, shared=not (learnt or once)
            )
        return self._measured[known]

    def _align(
        self, alignment: Choice, cell: Cell, spec: dict[str, Any], inputs: list[str], rows: Rows
    ) -> str:
        aligned = {
            **spec,
            "alignment": self.component(alignment, cell, "alignment", cell.part.fold),
            "labels": self.labels(rows, rows.train) if alignment.entry.supervised else None,
        }
        label = f"align {cell.dataset} with {alignment.name}"
        return self.graph.add("align", label, inputs, aligned)

    def _fuse(
        self,
        chain: Chain,
        component: dict[str, Any],
        spec: dict[str, Any],
        inputs: list[str],
        rows: Rows,
        head: Choice | None,
    ) -> str:
        fusion, cell = chain.fusion, chain.cell
        assert fusion is not None
        held_out = None
        if fusion.entry.out_of_fold:
            assert head is not None
            held_out = {
                m: self.cross_fit([Candidate(Chain(cell, (m,), (e,)), head)], rows)
                for m, e in zip(chain.modalities, chain.encoders, strict=True)
            }
        fused = {
            **spec,
            "trained_fusion": component,
            "labels": self.labels(rows, rows.train) if fusion.entry.supervised else None,
            "out_of_fold": held_out,
        }
        needs = [*inputs, *(held_out or {}).values()]
        return self.graph.add("fuse", f"fuse {cell.dataset} with {fusion.name}", needs, fused)

    # --- fits ----------------------------------------------------------------------------------

    def fit(self, chain: Chain, head: Choice | None, rows: Rows) -> str:
        """Add the job that fits a head, or a joint fusion, to the training part and predicts."""
        if chain.fusion is not None:  # no two cells need the same
            return self._fit(chain, head, rows)
        known = ("fit", chain.setting, head, rows)
        if known not in self._keys:
            self._keys[known] = self._fit(chain, head, rows)
        return self._keys[known]

    def _fit(self, chain: Chain, head: Choice | None, rows: Rows) -> str:
        samples = rows.samples
        candidates = self.candidates(chain, head)
        tuned = self.tune(candidates, rows)
        calibrated = False
        if head is not None and (chain.supervised or rows.groups is not None):
            calibrated = self._needs_calibration(candidates[0].head or head)
        pooled = None
        if head is not None and calibrated and chain.supervised and rows.validating is None:
            pooled = self.cross_fit(candidates, rows, tuned)
        variants, inputs = [], [pooled]
        for candidate in candidates:
            features, needs = self._given(candidate, rows, outer=True)
            variants.append({"features": features, **self._classifier(candidate)})
            inputs += needs
        spec = {
            "labels": self.labels(rows, rows.train),
            "groups": self.groups(rows) if calibrated else None,
            "test": self.graph.array(rows.test),
            "validation": None,
            "pooled": pooled,
            "n_classes": len(samples.classes),
        }
        if len(rows.validation):
            spec["validation"] = self.graph.array(rows.validation)
            spec["validation_labels"] = self.labels(rows, rows.validation)
        label = f"fit {candidates[0].name} on {samples.name}.{'+'.join(chain.modalities)}"
        return self.add_tuned("fit", label, inputs, spec, variants, tuned)

    def _classifier(self, candidate: Candidate) -> dict[str, Any]:
        """Return what is fitted to a candidate's features: its head, else its joint fusion."""
        chain, head = candidate.chain, candidate.head
        joint = chain.fusion if head is None else None
        fold = chain.cell.part.fold
        return {
            "head": self.component(head, chain.cell, "head", fold) if head else None,
            "joint": self.component(joint, chain.cell, "fusion", fold) if joint else None,
        }

    def add_tuned(
        self,
        kind: str,
        label: str,
        inputs: Sequence[str | None],
        spec: dict[str, Any],
        variants: Sequence[dict[str, Any]],
        tuned: str | None,
    ) -> str:
        """Add a job; where it is tuned, one that takes the variant which the tuning job chooses."""
        spec = {**spec, **variants[0]}
        if tuned is not None:
            spec |= {"tuned": tuned, "variants": list(variants)}
        return self.graph.add(kind, label, [*inputs, tuned], spec)

    def _needs_calibration(self, head: Choice) -> bool:
        if head.calibrate != NONE:
            return True
        if head not in self._calibrated:
            try:
                self._calibrated[head] = not is_calibrated(build(head.entry, head.params, ON_TRIAL))
            except (Exception, SystemExit):  # it will fail again, and be told, where it is fitted
                self._calibrated[head] = False
        return self._calibrated[head]

    def cross_fit(
        self, candidates: Sequence[Candidate], rows: Rows, tuned: str | None = None
    ) -> str:
        """Add the out-of-fold probabilities of a head, all that was fitted refitted per fold."""
        known = ("cross_fit", *(c.setting for c in candidates), rows, tuned)
        if known not in self._keys:
            self._keys[known] = self._cross_fit(candidates, rows, tuned)
        return self._keys[known]

    def _cross_fit(self, candidates: Sequence[Candidate], rows: Rows, tuned: str | None) -> str:
        chain, head = candidates[0].chain, candidates[0].head
        assert head is not None
        variants, inputs = [], []
        for candidate in candidates:
            folds = []
            for inner in self.inner_folds(rows):
                features, needs = self._given(candidate, inner, once=True)
                folds.append(features)
                inputs += needs
            variants.append({"folds": folds, "head": self._classifier(candidate)["head"]})
        spec = {
            "train": self.graph.array(rows.train),
            "labels": self.labels(rows, rows.train),
            "groups": self.groups(rows),
            "nested": not chain.supervised,
        }
        what = "+".join(chain.modalities)
        label = f"cross-fit {head.name} on {rows.samples.name}.{what}"
        return self.add_tuned("cross_fit", label, inputs, spec, variants, tuned)

    # --- tuning --------------------------------------------------------------------------------

    def drawn(self, cell: Cell, roles: Sequence[str]) -> list[Drawn]:
        """Return what is tried of some roles' options in a cell; nothing where none is tuned."""
        if cell.tuning is None:
            return [{}]
        return cell.tuning.candidates(roles, derive_seed(cell.seed, None, "tuning"))

    def candidates(self, chain: Chain, head: Choice | None) -> list[Candidate]:
        """Return what is tried for a chain and its head: itself, where nothing of it is tuned."""
        seed = chain.cell.seed
        known = (chain.fusion, head, seed)
        if known not in self._adjusted:
            self._adjusted[known] = [
                (
                    drawn,
                    adjusted(chain.fusion, drawn.get("fusion", {})) if chain.fusion else None,
                    adjusted(head, drawn.get("head", {})) if head else None,
                )
                for drawn in self.drawn(
                    chain.cell, ["fusion", "head"] if chain.fusion else ["head"]
                )
            ]
        return [
            Candidate(
                chain if fusion is chain.fusion else replace(chain, fusion=fusion), chosen, drawn
            )
            for drawn, fusion, chosen in self._adjusted[known]
        ]

    def tune(self, candidates: Sequence[Candidate], rows: Rows) -> str | None:
        """Add the job that chooses between candidates; None where nothing is tuned.

        They are compared on the validation part where there is one, else over the inner folds.
        """
        if not candidates[0].drawn:
            return None
        known = ("tune", *(c.setting for c in candidates), rows)
        if known not in self._keys:
            self._keys[known] = self._tune(candidates, rows)
        return self._keys[known]

    def _tune(self, candidates: Sequence[Candidate], rows: Rows) -> str:
        chain, inputs = candidates[0].chain, []
        cell, samples = chain.cell, rows.samples
        folds = [rows.validating] if rows.validating else self.inner_folds(rows)
        tried = []
        for candidate in candidates:
            features = []
            for fold in folds:
                made, needs = self._given(candidate, fold)
                features.append(made)
                inputs += needs
            tried.append(
                {"values": candidate.drawn, "features": features, **self._classifier(candidate)}
            )
        assert cell.tuning is not None
        spec = {
            "metric": self.tuning_metric(cell),
            "halving": cell.tuning.method == "halving",
            "candidates": tried,
            "labels": self.labels(rows, rows.train),
            "folds": [
                {
                    "train": self.labels(fold, fold.train),
                    "test": self.graph.array(fold.test),
                    "truth": self.labels(fold, fold.test),
                }
                for fold in folds
            ],
        }
        label = f"tune {candidates[0].name} on {samples.name}.{'+'.join(chain.modalities)}"
        return self.graph.add("tune", label, inputs, spec)

    def tuning_metric(self, cell: Cell) -> dict[str, Any]:
        """Return the metric by which a cell's candidates are compared."""
        assert cell.tuning is not None
        metric = next(m for m in self.metrics if m.name == cell.tuning.metric)
        return self.component(metric, cell, "metric", cell.part.fold)


def _depends_on(chain: Chain, head: Choice | None) -> tuple[Any, ...]:
    """Return all that a chain's features depend on besides their rows."""
    out_of_fold = chain.fusion is not None and chain.fusion.entry.out_of_fold
    return chain.setting, head if out_of_fold else None
