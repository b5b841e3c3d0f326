"""The answer to a matrix on one dataset: what is best, is it so, what it costs, what breaks it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from mmbench.corruption.model import ADDITIVE, Corruption
from mmbench.metrics import bounds_of
from mmbench.report.content import FAILED, LEFT_OUT, Answer, figure, ranked, seconds
from mmbench.results import COSTS, KEYS

if TYPE_CHECKING:
    import pandas as pd

    from mmbench.report.gather import Part
    from mmbench.report.language import Language

LATENCY = "latency_ms_p50"
PHASES = COSTS[:3]
"""What a cell costs by itself, in seconds: embedding, fitting, predicting."""


class Interval(NamedTuple):
    """A figure and its 95 % confidence interval."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether a difference of none is outside it."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True)
class Cheapest:
    """The cheapest of the combinations that cannot be told from the best.

    Attributes
    ----------
    row : mapping
        Of the summary.
    is_latency : bool
        Whether the cost is the median latency, in milliseconds; else it is what a cell costs by
        itself, in seconds.
    cost, of_best : float
        Its cost, and that of the best.
    is_best : bool
        Whether it is the best itself.
    """

    row: Mapping[str, Any]
    is_latency: bool
    cost: float
    of_best: float
    is_best: bool


@dataclass(frozen=True)
class Breaking:
    """The trial in which a combination does worst.

    Attributes
    ----------
    corruption : str
        As the table has it.
    value : float
        The metric then.
    fall : float
        The metric on clean items less that.
    """

    corruption: str
    value: float
    fall: float


@dataclass(frozen=True)
class Coverage:
    """How many of the planned cells were evaluated; trials are cells, too."""

    done: int
    planned: int
    failed: int
    left_out: int


@dataclass(frozen=True)
class Headline:
    """What is told of one dataset first.

    Attributes
    ----------
    metric : str
        That combinations are ranked by.
    answer : Answer
        The best and what it is held against.
    best : Interval or None
        The best one's figure; its bounds are NaN where they are not known.
    gain : Interval or None
        What the best, a fusion, gains over the best of its own modalities alone.
    tied : list of mapping or None
        The others that cannot be told from the best, rows of the summary, best first; None where no
        test was made.
    cheapest : Cheapest or None
        Of the best and these; None where there are none, or no cost is known.
    breaks : Breaking or None
        What the best does worst on; None where nothing was corrupted.
    coverage : Coverage
        Of the dataset's cells.
    """

    metric: str
    answer: Answer
    best: Interval | None
    gain: Interval | None
    tied: list[Mapping[str, Any]] | None
    cheapest: Cheapest | None
    breaks: Breaking | None
    coverage: Coverage


def headline(part: Part) -> Headline:
    """Return what is told of a dataset first."""
    found, metric = part.answer, part.metric
    row = found.best
    tied = _tied(part, row) if row else None
    return Headline(
        metric,
        found,
        _interval(row, metric, bounds_of(metric)) if row else None,
        _gain(row) if row else None,
        tied,
        _cheapest(row, tied) if row and tied else None,
        _breaking(part, row) if row else None,
        coverage(part.all_cells),
    )


def coverage(table: pd.DataFrame) -> Coverage:
    """Count the cells of a table by what became of them."""
    statuses = table["status"]
    left_out = int(statuses.isin(LEFT_OUT).sum())
    done, failed = int((statuses == "ok").sum()), int(statuses.isin(FAILED).sum())
    return Coverage(done, len(table) - left_out, failed, left_out)


def cost(row: Mapping[str, Any]) -> float:
    """Return what a cell of a combination costs by itself, in seconds; NaN where unknown."""
    return float(sum(row[phase] for phase in PHASES))


def _interval(row: Mapping[str, Any], name: str, bounds: tuple[str, str]) -> Interval:
    low, high = (_float(row.get(bound)) for bound in bounds)
    return Interval(_float(row.get(name)), low, high)


def _gain(row: Mapping[str, Any]) -> Interval | None:
    found = _interval(row, "gain", ("gain_low", "gain_high"))
    return found if all(value == value for value in found) else None


def _float(value: object) -> float:
    import pandas as pd

    return float("nan") if value is None or pd.isna(value) else float(value)  # type: ignore[arg-type]


def _tied(part: Part, best: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    """Return the others of the best one's group; those of other test samples are not ranked."""
    rows = ranked(part.rows, part.metric)
    group = _float(best.get("rank_group"))
    if group != group:
        return None
    same = rows[(rows["rank_group"] == group).fillna(False) & (rows["n_test"] == best["n_test"])]
    listed = same.to_dict("records")
    return [row for row in listed if any(row[key] != best[key] for key in KEYS)]


def _cheapest(best: Mapping[str, Any], tied: list[Mapping[str, Any]]) -> Cheapest | None:
    rows = [best, *tied]
    served = [_float(row.get(LATENCY)) for row in rows]
    is_latency = all(value == value for value in served)
    costs = served if is_latency else [cost(row) for row in rows]
    known = [i for i, value in enumerate(costs) if value == value]
    if 0 not in known:
        return None
    chosen = min(known, key=lambda i: costs[i])
    return Cheapest(rows[chosen], is_latency, costs[chosen], costs[0], chosen == 0)


def _breaking(part: Part, best: Mapping[str, Any]) -> Breaking | None:
    """Return the worst of the best one's trials, under the kindest policy for missing items."""
    same = [key for key in KEYS if key not in ("corruption", "missing")]
    rows = part.all_rows
    is_trial = (rows["corruption"] != "") & rows[part.metric].notna()
    for key in same:
        is_trial &= rows[key] == best[key]
    if best["missing"]:
        is_trial &= rows["missing"].isin(["", best["missing"]])
    listed = ranked(rows[is_trial], part.metric).drop_duplicates("corruption").to_dict("records")
    for row in reversed(listed):
        noise = Corruption.parse(row["corruption"])
        if not noise.training and noise.name != ADDITIVE:
            value = row[part.metric]
            return Breaking(row["corruption"], value, best[part.metric] - value)
    return None


# --- in words ----------------------------------------------------------------------------------


class Fact(NamedTuple):
    """A term of the answer and what is told of it."""

    term: str
    text: str


Named = Callable[[Mapping[str, Any]], str]
"""Names the combination of a row, in the form of the report: markup is kept as such."""


def facts(told: Headline, say: Language, named: Named) -> list[Fact]:
    """Tell a headline, but for the best one's name and figure, in every form of a report alike.

    Parameters
    ----------
    told : Headline
        Of a dataset with a best combination.
    say : Language
        What it is said in.
    named : callable
        Names the combination of a row of the summary.
    """
    found, best = told.answer, told.answer.best
    assert best is not None
    assert told.best is not None
    made = []
    if told.best.low == told.best.low:
        bounds = figure(told.best.low), figure(told.best.high)
        made.append(
            Fact(say("95 % interval"), say("{low} to {high}", low=bounds[0], high=bounds[1]))
        )
    made += _rival(told, say, named)
    made += _standing(told, say, named)
    made.append(Fact(say("Cost"), _cost(best, say)))
    if (worst := told.breaks) is not None:
        text = say(
            "{corruption}: {value} ({change} against clean items)",
            corruption=worst.corruption,
            value=figure(worst.value),
            change=f"{-worst.fall:+.3f}",
        )
        made.append(Fact(say("What breaks it"), text))
    if (corrected := found.corrected) is not None:
        text = say(
            "{estimate} ({low} to {high}): what it is worth, corrected for its having been chosen "
            "among {n} by test score",
            estimate=figure(corrected["estimate"]),
            low=figure(corrected["low"]),
            high=figure(corrected["high"]),
            n=corrected["n"],
        )
        made.append(Fact(say("Corrected"), text))
    elif found.compared > 1:
        text = say(
            "picked as the best of {n} by test score: an optimistic estimate", n=found.compared
        )
        made.append(Fact(say("Not corrected"), text))
    made.append(Fact(say("Coverage"), _coverage(told, say)))
    return made


def _rival(told: Headline, say: Language, named: Named) -> list[Fact]:
    found, best = told.answer, told.answer.best
    assert best is not None
    term = say("Best single modality") if found.is_fused else say("Best fusion")
    if found.rival is None:
        return [Fact(term, say("none was evaluated"))]
    text = say(
        "{name}: {figure} (difference {difference})",
        name=named(found.rival),
        figure=figure(found.rival[told.metric]),
        difference=f"{best[told.metric] - found.rival[told.metric]:+.3f}",
    )
    made = [Fact(term, text)]
    if (gain := told.gain) is not None:
        fields = {
            "gain": f"{gain.value:+.3f}",
            "low": f"{gain.low:+.3f}",
            "high": f"{gain.high:+.3f}",
        }
        text = (
            say("{gain} ({low} to {high}) over the best of its modalities: significant", **fields)
            if gain.excludes_zero and not _is_tied(told, found.rival)
            else say(
                "{gain} ({low} to {high}) over the best of its modalities: not significant",
                **fields,
            )
        )
        made.append(Fact(say("Gain by fusing"), text))
    return made


def _is_tied(told: Headline, row: Mapping[str, Any]) -> bool:
    """Whether a combination cannot be told from the best, corrected for all pairs."""
    return any(all(tied[key] == row[key] for key in KEYS) for tied in told.tied or ())


def _standing(told: Headline, say: Language, named: Named) -> list[Fact]:
    """Tell what cannot be told from the best, and the cheapest of it."""
    found = told.answer
    if told.tied is None:
        text = say.count(
            found.equals,
            "{n} other combination of the same mean; no test was made",
            "{n} other combinations of the same mean; no test was made",
        )
        return [Fact(say("Tied with"), text)] if found.equals else []
    if not told.tied:
        text = say("no other combination: it is told from each (5 %, corrected for all pairs)")
        return [Fact(say("Tied with"), text)] if found.compared > 1 else []
    text = say.count(
        len(told.tied),
        "{n} other combination that it cannot be told from (5 %, corrected for all pairs)",
        "{n} other combinations that it cannot be told from (5 %, corrected for all pairs)",
    )
    made = [Fact(say("Tied with"), text)]
    if (cheap := told.cheapest) is not None:
        made.append(Fact(say("Cheapest of these"), _cheap(cheap, told.metric, say, named)))
    return made


def _cheap(cheap: Cheapest, metric: str, say: Language, named: Named) -> str:
    amount, of_best = seconds(cheap.cost), seconds(cheap.of_best)
    costs = {"cost": amount, "best": of_best}
    if cheap.is_best and cheap.is_latency:
        return say("the best itself, {cost} ms a call", cost=amount)
    if cheap.is_best:
        return say("the best itself, {cost} s a cell", cost=amount)
    fields = {"name": named(cheap.row), "figure": figure(cheap.row[metric]), **costs}
    if cheap.is_latency:
        return say("{name}: {figure} at {cost} ms a call instead of {best} ms", **fields)
    return say("{name}: {figure} at {cost} s a cell instead of {best} s", **fields)


def _cost(best: Mapping[str, Any], say: Language) -> str:
    embed, fit, predict = (seconds(best[phase]) or "?" for phase in PHASES)
    text = say(
        "embed {embed} s, fit {fit} s, predict {predict} s a cell",
        embed=embed,
        fit=fit,
        predict=predict,
    )
    if seconds(_float(best.get(LATENCY))):
        served = say(
            "{latency} ms a call (median), {throughput} samples a second",
            latency=seconds(best[LATENCY]),
            throughput=seconds(_float(best.get("throughput"))) or "?",
        )
        return f"{served}; {text}"
    return text


def _coverage(told: Headline, say: Language) -> str:
    counts = told.coverage
    text = say("{done} of {planned} cells", done=counts.done, planned=counts.planned)
    if told.answer.best is not None and told.answer.best["coverage"] < 1:
        text += "; " + say("some cells of the best failed")
    if counts.left_out:
        text += "; " + say("{n} left out by the plan", n=counts.left_out)
    if told.answer.incomplete:
        text += "; " + say(
            "not compared, because some of their cells failed: {n}", n=told.answer.incomplete
        )
    return text
