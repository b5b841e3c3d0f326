"""What is tuned in a cell: the options and the values that they may take, drawn as candidates."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmbench.blocks import Range, TuningBlock, Values
from mmbench.choices import Choice
from mmbench.config import Source
from mmbench.errors import UserError, did_you_mean
from mmbench.options import canonical, signature

BUDGET = 20
"""Candidates that are drawn where the file does not say how many."""

Drawn = dict[str, dict[str, Any]]
"""One candidate: values by role (``head``, ``fusion``) and option."""


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """What of one cell is tuned, and how.

    Attributes
    ----------
    method : {"grid", "random", "halving"}
    metric : str
        By which candidates are compared.
    budget : int
        How many candidates are drawn; a grid is tried whole.
    options : mapping
        By role (``head``, ``fusion``), the values that each option may take.
    """

    method: str
    metric: str
    budget: int
    options: Mapping[str, Mapping[str, Values]]

    @classmethod
    def of(
        cls, block: TuningBlock | None, metric: str, fusion: Choice | None, head: Choice | None
    ) -> SearchSpace | None:
        """Return what ``[tuning]`` says of a fusion and a head; None where it says nothing."""
        if block is None:
            return None
        options = {
            "fusion": block.fusions.get(fusion.name, {}) if fusion else {},
            "head": block.heads.get(head.name, {}) if head else {},
        }
        options = {role: values for role, values in options.items() if values}
        if not options:
            return None
        return cls(block.method, block.metric or metric, block.budget or BUDGET, options)

    @property
    def is_drawn(self) -> bool:
        """Whether candidates depend on the seed."""
        return self.method != "grid"

    @property
    def identity(self) -> list[Any]:
        """What names it in a cell."""
        options = {
            role: {k: v.model_dump() if isinstance(v, Range) else v for k, v in values.items()}
            for role, values in self.options.items()
        }
        return [self.method, self.metric, self.budget if self.is_drawn else None, options]

    def candidates(self, roles: Sequence[str], seed: int) -> list[Drawn]:
        """Return the candidates for the options of some roles, each once, the same for a seed.

        A single empty one where none of these roles is tuned.
        """
        from sklearn.model_selection import ParameterGrid, ParameterSampler

        space = {
            (role, option): values
            for role in roles
            for option, values in self.options.get(role, {}).items()
        }
        if self.method == "grid":
            made = ParameterGrid({key: _listed(values) for key, values in space.items()})
        else:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", message="The total space of parameters")
                sampler = ParameterSampler(
                    {key: _distribution(values) for key, values in space.items()},
                    self.budget,
                    random_state=seed,
                )
                made = list(sampler)
        drawn = []
        for each in made:
            candidate: Drawn = {}
            for (role, option), value in each.items():
                candidate.setdefault(role, {})[option] = _plain(value, space[role, option])
            drawn.append(candidate)
        return list({canonical(candidate): candidate for candidate in drawn}.values())


def _listed(values: Values) -> list[Any]:
    if not isinstance(values, Range):
        return values
    assert values.steps is not None
    spaced = np.geomspace if values.log else np.linspace
    return [_plain(v, values) for v in spaced(values.low, values.high, values.steps)]


def _distribution(values: Values) -> Any:
    from scipy import stats

    if not isinstance(values, Range) or values.steps is not None:
        return _listed(values)
    low, high = values.low, values.high
    if values.log:
        return stats.loguniform(low, high)
    return stats.randint(low, high + 1) if _is_whole(values) else stats.uniform(low, high - low)


def _is_whole(values: Range) -> bool:
    return isinstance(values.low, int) and isinstance(values.high, int)


def _plain(value: Any, values: Values) -> Any:
    if not isinstance(values, Range):
        return value
    return round(float(value)) if _is_whole(values) else float(value)


def described(
    block: TuningBlock | None, metric: str, fusions: Sequence[Choice], heads: Sequence[Choice]
) -> str:
    """Say in a line what is tried; nothing where nothing is tuned."""
    tried = []
    for role, choice in [*(("head", h) for h in heads), *(("fusion", f) for f in fusions)]:
        space = SearchSpace.of(block, metric, **{"fusion": None, "head": None, role: choice})
        if space is not None and not choice.broken:
            tried.append(f"{choice.name} {len(space.candidates([role], 0))} candidates")
    if block is None or not tried:
        return ""
    listed = "; ".join(dict.fromkeys(tried))
    return f"tuning: {block.method} by {block.metric or metric}: {listed}"


def check_tuning(source: Source, fusions: Sequence[Choice], heads: Sequence[Choice]) -> None:
    """Raise `UserError` where ``[tuning]`` names what the file does not use, or a wrong value."""
    block = source.matrix.tuning
    if block is None:
        return
    for key, tuned, used in (("heads", block.heads, heads), ("fusions", block.fusions, fusions)):
        for name, options in tuned.items():
            where = f"{source.label}: tuning.{key}.{name}"
            named = [choice for choice in used if choice.name == name]
            if not named:
                known = [choice.name for choice in used]
                raise UserError(
                    f"{where}: the file's {key} have no {name!r}{did_you_mean(name, known)}"
                )
            for choice in named:
                _check_options(choice, options, where)


def _check_options(choice: Choice, options: Mapping[str, Values], where: str) -> None:
    if choice.broken:
        return
    accepted = signature(choice.entry)
    for option, values in options.items():
        if option in choice.params:
            raise UserError(
                f"{where}.{option}: {choice.name!r} is also listed with {option} = "
                f"{choice.params[option]!r}; tune it or list it"
            )
        ends = [values.low, values.high] if isinstance(values, Range) else values
        for value in ends:
            accepted.typed({option: value}, where)
