"""The report in HTML: one file that needs nothing else, neither network nor other files."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.report import content
from mmbench.report.across import across
from mmbench.report.classes import ClassFigures, by_class
from mmbench.report.figures import Picture, pictures, style
from mmbench.report.gather import Part, Report, Run
from mmbench.report.grid import Grid, grid, is_endless
from mmbench.report.headline import PHASES, Coverage, Fact, Headline, coverage, facts, headline
from mmbench.report.language import Language
from mmbench.report.plotting import digest, packed
from mmbench.report.trials import Sheet, sheets

if TYPE_CHECKING:
    from markupsafe import Markup

SCRIPTS = ("table.js", "pictures.js")
MOST = 100
"""Rows that a table has without scripts."""
UNFOLDED = 8
"""Pictures of a kind that are seen at once."""


def render(report: Report) -> str:
    """Return a report as a page that needs nothing else."""
    say = report.say
    templates = _templates(report)
    script = "\n".join(_source(templates, name) for name in SCRIPTS)
    shown, combinations = pictures(report), grid(report)
    text: str = templates.get_template("report.html.j2").render(
        say=say,
        title=report.title,
        runs=[_of_run(run, say) for run in report.runs],
        datasets=[_dataset(part, say) for part in report.parts],
        across=across(report.parts, say) if len(report.parts) > 1 else None,
        grid=combinations,
        kinds=_kinds(shown, say),
        plotly=packed() if shown else None,
        most=MOST,
        unfolded=UNFOLDED,
        data=_data(combinations, shown, say),
        style=_source(templates, "report.css"),
        script=script,
        script_digest=digest(script.encode()),
    )
    return text


def _templates(report: Report) -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup, escape

    made = Environment(
        loader=PackageLoader("mmbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "named": lambda row: named(row, report.say),
        "figure": content.figure,
        "seconds": content.seconds,
        "inline": Markup,
        "endless": is_endless,
        "breakable": lambda text: Markup(str(escape(text)).replace("+", "+<wbr>")),
    }
    return made


def _source(templates: Any, name: str) -> str:
    """Return a style sheet or script as it is written."""
    text: str = templates.loader.get_source(templates, name)[0]
    return text


def named(row: Mapping[str, Any], say: Language) -> Markup:
    """Name the combination of a row, each name apart from the direction of the text around it."""
    from markupsafe import Markup

    def apart(text: str) -> Markup:
        return Markup("<bdi>{}</bdi>").format(text)

    found = content.combination(row, say)
    encoded = Markup(" + ").join(
        say("{modality} by {encoder}", modality=apart(modality), encoder=apart(encoder))
        for modality, encoder in found.encoders
    )
    text = Markup(", ").join([encoded, *map(apart, found.steps)])
    if found.options:
        options = Markup("; ").join(map(apart, found.options))
        text += Markup(' <span class="option">({})</span>').format(options)
    return text


# --- what is told ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Dataset:
    """What is told of one dataset of one run."""

    part: Part
    headline: Headline
    facts: list[Fact]
    classes: list[ClassFigures]
    """Of the best combination, the hardest first."""
    trials: list[Sheet]
    """On corrupted items and smaller training parts."""


def _dataset(part: Part, say: Language) -> Dataset:
    told = headline(part)
    best = told.answer.best
    return Dataset(
        part,
        told,
        facts(told, say, lambda row: named(row, say)) if best else [],
        by_class(part.run.table, best) if best else [],
        sheets(part.all_rows, part.metric, say),
    )


@dataclass(frozen=True)
class OfRun:
    """What is told of one run."""

    run: Run
    coverage: Coverage
    last: str
    """When its last cell was written."""
    seeds: list[int]
    folds: int
    alone: float
    """Seconds that its cells would have cost one by one."""
    spent: float
    command: str
    """How it was called on the command line, empty where it was called from Python."""
    failed: list[content.Reason]
    left_out: list[content.Reason]


def _of_run(run: Run, say: Language) -> OfRun:
    table = run.table
    return OfRun(
        run,
        coverage(table),
        max(table["started"], default=""),
        sorted({int(seed) for seed in table["seed"].dropna()}),
        table["fold"].nunique(),
        float(table[list(PHASES)].sum().sum()),
        float(table["cost_s_shared"].sum()),
        _command(run.record),
        content.reasons(table, content.FAILED, say),
        content.reasons(table, content.LEFT_OUT, say),
    )


def _command(record: content.Record) -> str:
    call = [str(part) for part in record.environment.get("command", ())]
    if len(call) > 1 and Path(call[0]).name in ("mmbench", "__main__.py"):
        return shlex.join(["mmbench", *call[1:]])
    return ""


# --- pictures and data -------------------------------------------------------------------------


@dataclass(frozen=True)
class Kind:
    """The pictures of one kind, under their heading."""

    name: str
    title: str
    pictures: list[Picture]


def _kinds(shown: Sequence[Picture], say: Language) -> list[Kind]:
    titles = {
        "tradeoff": say("Quality against cost"),
        "heatmap": say("Encoders and fusions"),
        "gain": say("Gain by fusing"),
        "difference": say("Ranks over datasets"),
        "ranks": say("Ranks"),
        "robustness": say("Robustness"),
        "learning": say("Learning curves"),
        "contributions": say("What each modality contributes"),
        "latency": say("Latency"),
        "calibration": say("Calibration"),
        "confusion": say("Confusion"),
        "training": say("Training"),
    }
    made: dict[str, Kind] = {}
    for picture in shown:
        title = titles.get(picture.kind, picture.title)
        made.setdefault(picture.kind, Kind(picture.kind, title, [])).pictures.append(picture)
    return list(made.values())


def _data(combinations: Grid | None, shown: Sequence[Picture], say: Language) -> Markup:
    """Return what the scripts of the page read, as JSON in an element of it."""
    from markupsafe import Markup

    told: dict[str, Any] = {"words": _words(say)}
    if combinations:
        told["table"] = {
            "columns": [column.packed() for column in combinations.columns],
            "rows": combinations.n,
            "metric": [column.name for column in combinations.columns].index(combinations.metric),
            "short": combinations.short,
        }
    if shown:
        told["pictures"] = {picture.name: picture.figure for picture in shown}
        told["looks"] = {"light": style.template(), "dark": style.template(dark=True)}
        told["locale"] = {"name": say.code, "dictionary": _tools(say)}
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))


def _words(say: Language) -> dict[str, str]:
    """Return what the scripts say; they fill in the fields."""
    return {
        "shown": say("{shown} of {all} combinations"),
        "group": say("{name}: {n} of {all}, best {metric} {best}"),
        "empty": say("(none)"),
        "more": say("{n} more rows"),
        "copied": say("{n} rows copied"),
        "copy": say("Copy the text that is marked."),
        "old": say("This browser is too old to draw it: it cannot decompress."),
    }


def _tools(say: Language) -> dict[str, str]:
    """Return what Plotly says, by its own English."""
    return {
        "Download plot": say("Download the picture"),
        "Taking snapshot - this may take a few seconds": say("The picture is being made."),
        "Snapshot succeeded": say("The picture is downloaded"),
        "Zoom": say("Zoom"),
        "Pan": say("Move"),
        "Zoom in": say("Zoom in"),
        "Zoom out": say("Zoom out"),
        "Autoscale": say("Fit to the figures"),
        "Reset axes": say("Back to the start"),
        "Double-click to zoom back out": say("Double-click to zoom back out"),
        "Double-click on legend to isolate one trace": say("Double-click to see this one alone"),
    }
