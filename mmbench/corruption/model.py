"""Corruptions as an axis: what the matrix file's ``[corruption]`` asks of a dataset's cells."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from mmbench.corruption.noise import NOISES
from mmbench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    from mmbench.blocks import Missing
    from mmbench.config import Source

MISSING = "missing"
PERMUTED = "permuted"
ADDITIVE = "additive"
ALL = "all"


_WRITTEN = re.compile(
    r"(?:missing (.+?)(?: (0\.\d+|\d\.?\d*e-\d+))?|(.+) permuted|(additive) projection"
    r"|(.+) ([a-z-]+) ([1-5]))( \(training too\))?",
    re.DOTALL,
)


@dataclass(frozen=True)
class Corruption:
    """One way in which the items of some modalities are worse than they were.

    Attributes
    ----------
    name : str
        ``"missing"``; ``"permuted"``, where each test sample has another's item of the modality;
        ``"additive"``, the additive projection of what a cell predicts; or a key of
        `mmbench.corruption.noise.NOISES` for the modality's kind.
    modalities : tuple of str
        What it does that to; of noise and what is permuted, one.
    level : float
        The strength of noise, 1 to 5; of what is missing, the share of samples that lose it.
    kind : str
        The kind of items; "" where it is not noise.
    training : bool
        Whether the training and validation parts are corrupted, too.
    """

    name: str
    modalities: tuple[str, ...]
    level: float
    kind: str = ""
    training: bool = False

    def __str__(self) -> str:
        """Return what the table's column ``corruption`` says."""
        told = self.family
        if self.is_noise or (self.takes_away and self.level < 1):
            told += f" {self.level:g}"
        return told + (" (training too)" if self.training else "")

    @classmethod
    def parse(cls, text: str) -> Corruption:
        """Return what a table's column says; without the kind of items, which it does not.

        Raises
        ------
        ValueError
            It is no corruption.
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no corruption")
        where, rate, permuted, additive, modality, name, strength, training = found.groups()
        if permuted is not None:
            return cls(PERMUTED, (permuted,), 1.0)
        if additive is not None:
            return cls(ADDITIVE, (), 1.0)
        if where is not None:
            lost = tuple(where.split("+"))
            return cls(MISSING, lost, float(rate or 1), training=bool(training))
        return cls(name, (modality,), float(strength), training=bool(training))

    @property
    def family(self) -> str:
        """What it is at all its strengths or rates."""
        where = "+".join(self.modalities)
        if self.name == ADDITIVE:
            return "additive projection"
        return f"missing {where}" if self.takes_away else f"{where} {self.name}"

    @property
    def is_noise(self) -> bool:
        """Whether items are made worse one by one."""
        return self.name not in (MISSING, PERMUTED, ADDITIVE)

    @property
    def takes_away(self) -> bool:
        """Whether it makes items missing."""
        return self.name == MISSING

    @cached_property
    def drawn(self) -> bool:
        """Whether what it does depends on the seed."""
        if self.is_noise:
            return NOISES[self.kind][self.name].drawn
        return self.name == PERMUTED or (self.takes_away and self.level < 1)

    @property
    def spec(self) -> dict[str, Any]:
        """What a worker makes it anew from."""
        return {
            "name": self.name,
            "modalities": list(self.modalities),
            "level": self.level,
            "kind": self.kind,
        }

    @classmethod
    def from_spec(cls, spec: Mapping[str, Any]) -> Corruption:
        """Return what `spec` was of."""
        return cls(spec["name"], tuple(spec["modalities"]), spec["level"], spec["kind"])

    def leaves_nothing(self, modalities: Sequence[str]) -> bool:
        """Whether no sample keeps any of these modalities."""
        return self.takes_away and self.level == 1 and set(modalities) <= set(self.modalities)


def corruptions(
    source: Source, kinds: Mapping[str, str], encoded: Sequence[str]
) -> list[Corruption | None]:
    """Return the corruptions of one dataset's cells in the table's order, None (clean) first.

    Parameters
    ----------
    source : Source
        The matrix file.
    kinds : mapping
        The dataset's modalities and their kinds.
    encoded : sequence of str
        The modalities that have encoders.

    Raises
    ------
    UserError
        The block names a noise that the kind of items does not have.
    """
    block = source.matrix.corruption
    if block is None:
        return [None]
    made: list[Corruption] = []
    for training in block.training:
        for modality in encoded:
            kind = "image" if kinds[modality] == "video" else kinds[modality]
            keys = (modality, kinds[modality], kind)
            key = next((each for each in keys if each in block.noise), modality)
            for name in _named(block.noise.get(key, ()), kind, f"{source.label}: {_noise(key)}"):
                made += [
                    Corruption(name, (modality,), strength, kind, training)
                    for strength in block.strengths
                ]
        made += [
            Corruption(MISSING, lost, rate, training=training)
            for lost, rate in _lost(block.missing, encoded)
        ]
    permuted = encoded if block.permuted == ALL else block.permuted
    made += [Corruption(PERMUTED, (m,), 1.0) for m in encoded if m in permuted]
    if block.additive:
        made.append(Corruption(ADDITIVE, tuple(encoded), 1.0))
    return [None, *dict.fromkeys(made)]


def _named(names: str | Iterable[str], kind: str, where: str) -> Iterator[str]:
    known = NOISES[kind]
    for name in known if names == ALL else names:
        if name not in known:
            raise UserError(f"{where}: unknown {name!r} for {kind}{did_you_mean(name, known)}")
        yield name


def _noise(key: str) -> str:
    return f"corruption.noise.{key}"


def _lost(
    missing: str | Sequence[Missing], encoded: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], float]]:
    """Give what is missing: modalities, and the share of samples that lose them."""
    if isinstance(missing, str):
        for size in range(1, len(encoded)):
            for lost in itertools.combinations(encoded, size):
                yield lost, 1.0
        return
    for entry in missing:
        for modality in entry.modality:
            for rate in entry.rate if modality in encoded else ():
                yield (modality,), rate


def check_corruption(source: Source, datasets: Sequence[Mapping[str, str]]) -> None:
    """Raise `UserError` where ``[corruption]`` names what no dataset has.

    Parameters
    ----------
    datasets : sequence of mapping
        By dataset, its modalities and their kinds.
    """
    block = source.matrix.corruption
    if block is None:
        return
    modalities = {modality for kinds in datasets for modality in kinds}
    kinds = {kind for each in datasets for kind in each.values()}
    kinds |= {"image"} if "video" in kinds else set()
    for key in block.noise:
        if key not in modalities | kinds:
            raise UserError(
                f"{source.label}: {_noise(key)}: no dataset has a modality or a kind {key!r}"
                f"{did_you_mean(key, modalities | kinds)}"
            )
    for modality in () if isinstance(block.permuted, str) else block.permuted:
        if modality not in modalities:
            raise UserError(
                f"{source.label}: corruption.permuted: no dataset has a modality {modality!r}"
                f"{did_you_mean(modality, modalities)}"
            )
    for index, entry in enumerate(() if isinstance(block.missing, str) else block.missing):
        for modality in entry.modality:
            if modality not in modalities:
                raise UserError(
                    f"{source.label}: corruption.missing[{index}]: no dataset has a modality "
                    f"{modality!r}{did_you_mean(modality, modalities)}"
                )
