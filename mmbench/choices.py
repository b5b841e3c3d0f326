"""A plugin with its options chosen: what an entry of the matrix file, its axes expanded, names."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from mmbench.catalogue import Catalogue, Entry
from mmbench.config import Source, Use
from mmbench.errors import UserError, one_line
from mmbench.options import Signature, canonical, signature

NONE = "none"
"""The entry that stands for no alignment; a fusion of that name marks the baselines."""


@dataclass(frozen=True, eq=False)
class Choice:
    """A plugin with the options chosen for it."""

    entry: Entry
    params: dict[str, Any] = field(default_factory=dict)
    """Options given in the file, typed."""
    standardise: bool = True
    asks: frozenset[str] = frozenset()
    weights: str = ""
    """The identity of its weights: the plugin's ``cache_key``, else size and time of its files."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the table says of it besides its options, from the plugin's ``facts``."""
    takes_distances: bool = False
    """Of a head: whether, with these options, it takes distances in place of vectors."""
    written: dict[str, str] = field(default_factory=dict)
    """The options that are paths, as they stand in the file."""
    over_time: str = ""
    """How an image encoder's embeddings of a video's frames are pooled: mean or max."""
    calibrate: str = NONE
    """How a head's own probabilities are calibrated: temperature, or none."""
    broken: str = ""
    """Why its target cannot be imported, where it cannot."""
    traceback: str = ""

    @property
    def name(self) -> str:
        """The plugin's name."""
        return self.entry.name

    @property
    def gives_sequences(self) -> bool:
        """Whether it can be asked for sequences; of a video, any encoder of images can."""
        return self.entry.sequences or bool(self.over_time)

    @property
    def can_be_tuned(self) -> bool:
        """Whether a joint fusion can train its network on; of a video's frames it is frozen."""
        return self.entry.finetune and not self.entry.trained and not self.over_time

    @cached_property
    def complete(self) -> dict[str, Any]:
        """All options, defaults included."""
        return self.params if self.broken else signature(self.entry).with_defaults(self.params)

    @cached_property
    def shown(self) -> dict[str, Any]:
        """What the column ``params`` says of it."""
        return {**self.params, **self.written, **self.facts, **self._harness}

    @property
    def _harness(self) -> dict[str, Any]:
        """What the file says of it that is the harness's business."""
        told: dict[str, Any] = {}
        if self.standardise != self.entry.standardise:
            told["standardise"] = self.standardise
        if self.over_time:
            told["over_time"] = self.over_time
        if self.calibrate != NONE:
            told["calibrate"] = self.calibrate
        return told

    @cached_property
    def chosen(self) -> dict[str, Any]:
        """The options given that differ from their default."""
        return self.params if self.broken else signature(self.entry).without_defaults(self.params)

    @cached_property
    def identity(self) -> list[Any]:
        """What names this choice in a cell: no path, and no option at its default."""
        shown = {k: v.name if isinstance(v, Path) else v for k, v in self.chosen.items()}
        return [self.name, {**shown, **self._harness}]


def adjusted(choice: Choice, params: Mapping[str, Any]) -> Choice:
    """Return the choice with other values for some of its options."""
    if not params:
        return choice
    accepted = signature(choice.entry)
    typed = accepted.validate({**choice.params, **params}, f"{choice.entry.sort} {choice.name}")
    made = _choose(choice.entry, typed, choice.standardise, accepted, Path())
    return replace(made, calibrate=choice.calibrate)


def choices(
    uses: Sequence[Use], sort: str, key: str, source: Source, catalogue: Catalogue
) -> list[Choice]:
    """Expand entries: a list given for an option is an axis, whose values are crossed."""
    expanded = []
    for index, use in enumerate(uses):
        if sort == "alignment" and use.use == NONE:
            continue
        where = f"{source.label}: {key}[{index}]"
        entry = catalogue.find(sort, use.use, where)
        tuned = getattr(source.matrix.tuning, key, {}).get(use.use, {})
        standardise = getattr(use, "standardise", None)
        standardise = entry.standardise if standardise is None else standardise
        axes = {k: v if isinstance(v, list) else [v] for k, v in use.options.items()}
        for name, values in axes.items():
            if not values:
                raise UserError(f"{where}: {name} = []: a list is an axis and needs a value")
        try:
            accepted = signature(entry)
        except (Exception, SystemExit) as error:  # the plugin's mistake: its own cells tell it
            reason = f"{sort} {entry.name!r} cannot be imported: {one_line(error)}"
            trace = traceback.format_exc()
            choice = Choice(entry, use.options, standardise, broken=reason, traceback=trace)
            expanded.append(choice)
            continue
        poolings = getattr(use, "over_time", None) or [""]
        calibrations = getattr(use, "calibrate", [NONE])
        for combination in itertools.product(*axes.values()):
            given = dict(zip(axes, combination, strict=True))
            params = accepted.validate(given, f"{where} ({use.use})", later=tuned)
            choice = _choose(entry, params, standardise, accepted, source.folder)
            expanded += [
                replace(choice, over_time=pooling, calibrate=calibration)
                for pooling, calibration in itertools.product(poolings, calibrations)
            ]
    return expanded


def _choose(
    entry: Entry, params: dict[str, Any], standardise: bool, accepted: Signature, folder: Path
) -> Choice:
    files, written = [], {}
    for name, value in params.items():
        if isinstance(value, Path):
            written[name] = value.as_posix()
            params[name] = path = (folder / value.expanduser()).resolve()
            if path.exists():
                files.append([name, path.stat().st_size, path.stat().st_mtime_ns])
    key: Any = files
    facts: dict[str, Any] = {}
    by_distances = False
    target, complete = entry.load(), accepted.with_defaults(params)
    try:
        if hasattr(target, "cache_key"):
            key = target.cache_key(**complete)
        if hasattr(target, "facts"):
            facts = dict(target.facts(**complete))
        if hasattr(target, "takes_distances"):
            by_distances = bool(target.takes_distances(**complete))
    except (Exception, SystemExit) as error:
        reason = f"{entry.sort} {entry.name!r}: {one_line(error)}"
        trace = traceback.format_exc()
        asks = accepted.asks
        return Choice(
            entry, params, standardise, asks, written=written, broken=reason, traceback=trace
        )
    weights = canonical(key)
    return Choice(entry, params, standardise, accepted.asks, weights, facts, by_distances, written)
