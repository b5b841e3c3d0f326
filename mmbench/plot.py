"""Pictures of results, as figures of Plotly that notebooks show.

They are those of the report. Each function takes a table of cells, as `mmbench.read_results` and
`mmbench.run` return it, and the name of a dataset where the table has several.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from mmbench.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

    from mmbench.report.figures import Picture
    from mmbench.report.figures.scene import Scene

__all__ = [
    "calibration", "confusion", "contributions", "critical_difference", "gains", "heatmap",
    "latency", "learning_curves", "ranks", "robustness", "tradeoff", "training",
]  # fmt: skip


def tradeoff(
    table: pd.DataFrame, *, dataset: str | None = None, cost: str | None = None
) -> go.Figure:
    """Draw quality against a cost, with the Pareto front and the intervals of both.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells.
    dataset : str, optional
        Which one.
    cost : str, optional
        ``"latency_ms_p50"``, ``"throughput"``, ``"peak_memory_mb"``, ``"energy_j_per_sample"``,
        ``"parameters"``, or ``"seconds"`` for embedding, fitting and predicting a cell. Default:
        the first of these that was measured.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset or cost, several datasets and none named, or nothing to draw.
    """
    from mmbench.report.figures.tradeoff import costs
    from mmbench.report.figures.tradeoff import tradeoff as draw

    scene = _scene(table, dataset)
    known = [each.column for each in costs(scene)]
    if cost is not None and cost not in known:
        raise UserError(
            f"there is no cost {cost!r}: expected {', '.join(known)}{did_you_mean(cost, known)}"
        )
    return _first(draw(scene, cost), f"{cost or 'cost'} and quality of a combination")


def heatmap(
    table: pd.DataFrame, *, dataset: str | None = None, head: str | None = None
) -> go.Figure:
    """Draw quality by encoders and fusion.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells.
    dataset : str, optional
        Which one.
    head : str, optional
        Which head; ``""`` for joint fusions, which bring their own. Default: the best one's.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset or head, several datasets and none named, or nothing to draw.
    """
    from mmbench.report.figures.heatmap import heatmap as draw

    scene = _scene(table, dataset)
    known = list(dict.fromkeys(row["head"] for row in scene.ranked))
    if head is not None and head not in known:
        raise UserError(
            f"there is no head {head!r}: expected {', '.join(known)}{did_you_mean(head, known)}"
        )
    return _first(draw(scene, head), "two combinations of a head")


def gains(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw what fusions gain over the best of their modalities alone, with intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.gain import gain

    return _first(gain(_scene(table, dataset)), "fusion beside its modalities alone")


def ranks(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw the best combinations with intervals, and which cannot be told from each other.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.ranks import ranks as draw

    return _first(draw(_scene(table, dataset)), "two combinations with figures")


def critical_difference(*tables: pd.DataFrame) -> go.Figure:
    """Draw the mean ranks of methods over datasets, as Demšar does (2006, JMLR 7).

    Parameters
    ----------
    *tables : pandas.DataFrame
        Of cells, of one or several runs that have three datasets or more together.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There are not two methods on three datasets.
    """
    from mmbench.report.figures.difference import difference
    from mmbench.report.gather import gather

    return _first(difference(gather(tables)), "two methods on the same three datasets")


def robustness(
    table: pd.DataFrame,
    *,
    dataset: str | None = None,
    kind: Literal["curves", "losses"] = "curves",
) -> go.Figure:
    """Draw what corruption costs the best combination, the next best and the most robust one.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, of a run with ``[corruption]``.
    dataset : str, optional
        Which one.
    kind : {"curves", "losses"}
        The metric by strength or rate, or what corruptions of one strength cost.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.robustness import robustness as draw

    scene = _scene(table, dataset)
    name = scene.file("robustness" if kind == "curves" else "losses")
    what = "corruption of several strengths" if kind == "curves" else "corruption of one strength"
    return _first([made for made in draw(scene) if made.name == name], what)


def learning_curves(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw the metric by the share of the training part, of the best combinations.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, of a run with ``train_sizes``.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.learning import learning

    return _first(learning(_scene(table, dataset)), "combination on two training sizes")


def contributions(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw what each modality gives to the best fusions: `mmbench.contributions`.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, with its run's predictions and all subsets of the modalities.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.contributions import contributions as draw

    return _read(draw, table, dataset, "fusion beside all subsets of its modalities")


def latency(
    table: pd.DataFrame,
    *,
    dataset: str | None = None,
    kind: Literal["distribution", "stages"] = "distribution",
) -> go.Figure:
    """Draw how long calls of the best combinations take, from item to class.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, of a run with ``[timing]``.
    dataset : str, optional
        Which one.
    kind : {"distribution", "stages"}
        Single calls, or the mean time of each stage.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.latency import distributions, stages

    draw = distributions if kind == "distribution" else stages
    return _read(draw, table, dataset, "combination timed end to end")


def calibration(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw the reliability diagram of the leading combinations: `mmbench.calibration`.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, with its run's predictions.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.calibration import calibration as draw

    return _read(draw, table, dataset, "combination with predictions")


def confusion(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw what the best combination takes each class for: `mmbench.confusion`.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, with its run's predictions.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.confusion import confusion as draw

    return _read(draw, table, dataset, "combination with predictions")


def training(table: pd.DataFrame, *, dataset: str | None = None) -> go.Figure:
    """Draw the loss by epoch of the best combination that was trained by epochs.

    Parameters
    ----------
    table : pandas.DataFrame
        Of cells, with what its run's folder tells of training.
    dataset : str, optional
        Which one.

    Returns
    -------
    plotly.graph_objects.Figure

    Raises
    ------
    UserError
        There is no such dataset, several and none named, or nothing to draw.
    """
    from mmbench.report.figures.training import training as draw

    return _read(draw, table, dataset, "combination trained by epochs")


def _scene(table: pd.DataFrame, dataset: str | None) -> Scene:
    """Return a dataset of a table."""
    from mmbench.report.figures.scene import Scene
    from mmbench.report.gather import gather

    report = gather([table])
    parts = {part.dataset: part for part in report.parts}
    if dataset is None and len(parts) > 1:
        raise UserError(f"the table has several datasets: dataset= names one of {', '.join(parts)}")
    if dataset is not None and dataset not in parts:
        raise UserError(
            f"there is no dataset {dataset!r}: the table has {', '.join(parts) or 'none'}"
            f"{did_you_mean(dataset, parts)}"
        )
    if not parts:
        raise UserError("there is nothing to draw: no cell was planned")
    return Scene(parts[dataset or report.parts[0].dataset], report.say)


def _read(
    draw: Callable[[Scene], list[Picture]], table: pd.DataFrame, dataset: str | None, what: str
) -> go.Figure:
    """Draw what is read from a run's folder."""
    try:
        return _first(draw(_scene(table, dataset)), what)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"the run cannot be read: {' '.join(str(error).split())}") from None


def _first(made: Sequence[Picture], what: str) -> go.Figure:
    """Return the first picture as a figure on white paper, under its title."""
    import plotly.graph_objects as go

    from mmbench.report.figures.scene import wrapped
    from mmbench.report.figures.style import template

    if not made:
        raise UserError(f"there is nothing to draw: no {what}")
    figure = go.Figure(made[0].figure).update_layout(template=template())
    title = f"<b>{wrapped(made[0].title, 60)}</b>"
    if figure.layout.coloraxis.colorbar.title.text:
        return figure.update_coloraxes(colorbar_title_text=title)
    if figure.layout.showlegend or sum(bool(trace.name) for trace in figure.data) > 1:
        return figure.update_layout(legend_title={"text": title, "side": "top"})
    return figure.update_layout(title={"text": title, "x": 0.02, "automargin": True})
