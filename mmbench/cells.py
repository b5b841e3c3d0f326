"""What a cell is: a combination of plugins on one part of a dataset, and how it is identified."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from mmbench.choices import Choice
from mmbench.config import FROZEN
from mmbench.corruption.model import Corruption
from mmbench.options import canonical
from mmbench.searchspace import SearchSpace
from mmbench.splits import Part


@dataclass(frozen=True, eq=False)
class Plugins:
    """The plugins of a combination, and what is told of them in each of its cells."""

    modalities: tuple[str, ...]
    encoders: tuple[Choice, ...]
    alignment: Choice | None
    fusion: Choice | None
    head: Choice | None

    @cached_property
    def choices(self) -> dict[str, Choice]:
        """The plugins by role, in the pipeline's order."""
        roles: dict[str, Choice | None] = {
            f"encoder.{m}": e for m, e in zip(self.modalities, self.encoders, strict=True)
        }
        roles |= {"alignment": self.alignment, "fusion": self.fusion, "head": self.head}
        return {role: choice for role, choice in roles.items() if choice is not None}

    @cached_property
    def broken(self) -> str:
        """Why they cannot be evaluated: one of them cannot be imported."""
        return next((f"{r}: {c.broken}" for r, c in self.choices.items() if c.broken), "")

    @cached_property
    def params(self) -> str:
        """Canonical JSON by role: the options given, and what else the table says of a plugin."""
        return canonical({r: choice.shown for r, choice in self.choices.items() if choice.shown})


@lru_cache(maxsize=16)
def _plugins(*combined: Any) -> Plugins:
    """Return the same for all cells of a combination, which stand together."""
    return Plugins(*combined)


@lru_cache(maxsize=16)
def _named(dataset: str, plugins: Plugins, missing: str, scheme: tuple[Any, ...]) -> str:
    """Return what the cells of a combination have in common, as canonical JSON."""
    roles = {role: choice.identity for role, choice in plugins.choices.items()}
    return canonical([dataset, plugins.modalities, roles, missing, scheme])[1:-1]


@dataclass(frozen=True, eq=False, slots=True)
class Cell:
    """One combination on one part of a dataset: one row of the table."""

    dataset: str
    modalities: tuple[str, ...]
    encoders: tuple[Choice, ...]
    fusion: Choice | None
    head: Choice | None
    part: Part
    seed: int
    alignment: Choice | None = None
    missing: str = ""
    scheme: tuple[Any, ...] = ()
    """Split scheme, folds and limit: part of the cell's identity."""
    skipped: str = ""
    tuning: SearchSpace | None = None
    finetune: str = ""
    """How a joint fusion trains encoders: frozen, lora or full; empty for other levels."""
    train_size: float = 1.0
    """The share of the training part that is used; `part` has been cut to it."""
    corruption: Corruption | None = None
    id: str = field(init=False)
    """Hash of names and options of all axes, split scheme, folds and limit."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "id", self._hashed())

    @property
    def level(self) -> str:
        """Where the modalities meet: none, feature, decision or joint."""
        return self.fusion.entry.level if self.fusion else "none"

    @property
    def trains_encoders(self) -> bool:
        """Whether encoders are trained with the fusion, where they can be."""
        return self.finetune not in ("", FROZEN)

    @property
    def plugins(self) -> Plugins:
        """The plugins that it combines."""
        return _plugins(self.modalities, self.encoders, self.alignment, self.fusion, self.head)

    @property
    def choices(self) -> dict[str, Choice]:
        """The plugins by role, in the pipeline's order."""
        return self.plugins.choices

    @property
    def broken(self) -> str:
        """Why the cell cannot be evaluated: one of its plugins cannot be imported."""
        return self.plugins.broken

    @property
    def params(self) -> str:
        """Canonical JSON by role: the options given, and what else the table says of a plugin."""
        return self.plugins.params

    @property
    def setting(self) -> tuple[Any, ...]:
        """What its jobs depend on besides its plugins and its rows."""
        return (
            self.missing, self.seed, self.part.fold, self.tuning, self.finetune, self.trained_on
        )  # fmt: skip

    @property
    def trained_on(self) -> Corruption | None:
        """How the items are corrupted that its plugins are fitted to."""
        return self.corruption if self.corruption and self.corruption.training else None

    def _hashed(self) -> str:
        named = _named(self.dataset, self.plugins, self.missing, self.scheme)
        tuned = "" if self.tuning is None else f", {canonical(self.tuning.identity)}"
        trained = f", {canonical({'finetune': self.finetune})}" if self.trains_encoders else ""
        cut = f", {canonical({'train_size': self.train_size})}" if self.train_size < 1 else ""
        worse = f", {canonical({'corruption': str(self.corruption)})}" if self.corruption else ""
        axes = f"[{named}, {self.seed}, {self.part.fold}{tuned}{trained}{cut}{worse}]"
        return hashlib.sha256(axes.encode()).hexdigest()[:16]

    @property
    def axes(self) -> dict[str, Any]:
        """The cell's coordinates, as the table's columns have them."""
        names = {
            f"encoder_{m}": e.name for m, e in zip(self.modalities, self.encoders, strict=True)
        }
        return {
            "cell": self.id,
            "dataset": self.dataset,
            "modalities": "+".join(self.modalities),
            "encoders": "+".join(e.name for e in self.encoders),
            **names,
            "alignment": self.alignment.name if self.alignment else "none",
            "fusion": self.fusion.name if self.fusion else "none",
            "level": self.level,
            "head": self.head.name if self.head else "",
            "params": self.params,
            "finetune": self.finetune,
            "missing": self.missing,
            "corruption": str(self.corruption or ""),
            "train_size": f"{self.train_size:g}" if self.train_size < 1 else "",
            "seed": self.seed,
            "fold": self.part.fold,
        }
