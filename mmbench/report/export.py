"""The pictures of a report as files for papers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import UserError
from mmbench.report.figures import Picture, pictures
from mmbench.report.figures.style import template

if TYPE_CHECKING:
    from mmbench.report.gather import Report

FORMS = ("svg", "pdf", "png")
WIDTH, NAMES, TILE = 640, 220, 42
"""Of a picture, in pixels; and of tiles' names and of a tile, where these need more than that."""
SCALE = 2
"""Pixels of a PNG by pixel of the picture."""


def write_figures(report: Report, folder: Path, forms: Sequence[str] = FORMS) -> list[Path]:
    """Write the pictures of a report, on white paper, to ``folder/figures``.

    Parameters
    ----------
    report : Report
        Of one or several runs.
    folder : Path
        Where the files' folder is made.
    forms : sequence of {"svg", "pdf", "png"}
        What each picture is written as.

    Returns
    -------
    list of Path
        The files, in the order of the pictures.

    Raises
    ------
    UserError
        Kaleido, or a browser for it, is missing, or a file cannot be written.
    """
    try:
        import kaleido
        from choreographer.errors import BrowserFailedError, ChromeNotFoundError
    except ImportError:
        raise UserError("pictures as files need kaleido: pip install 'mmbench[figures]'") from None
    into = folder / "figures"
    every = [(picture, into / f"{picture.name}.{f}") for picture in pictures(report) for f in forms]
    if not every:
        return []
    made = [
        {"fig": on_paper(each), "path": file, "opts": _size(each, file)} for each, file in every
    ]
    page = kaleido.PageGenerator(mathjax=False)  # else it is fetched from the network
    try:
        into.mkdir(parents=True, exist_ok=True)
        kaleido.write_fig_from_object_sync(
            made, kopts={"n": 2, "page_generator": page}, cancel_on_error=True
        )
    except ChromeNotFoundError:
        raise UserError(
            "pictures as files need Chrome or Chromium: install one, or run kaleido_get_chrome"
        ) from None
    except BrowserFailedError as error:
        told = " ".join(str(error).split())
        raise UserError(f"the browser that draws pictures does not start: {told}") from None
    except TimeoutError:
        raise UserError("the browser that draws pictures does not answer") from None
    except OSError as error:
        raise UserError(f"{into}: cannot be written: {error.strerror or error}") from None
    return [file for _, file in every]


def on_paper(picture: Picture) -> dict[str, Any]:
    """Return a picture's figure on white paper."""
    figure = picture.figure
    return {**figure, "layout": {**figure["layout"], "template": template()}}


def _size(picture: Picture, file: Path) -> dict[str, Any]:
    columns = picture.figure["layout"].get("xaxis", {}).get("ticktext", ())
    has_tiles = any(trace["type"] == "heatmap" for trace in picture.figure["data"])
    wide = NAMES + TILE * len(columns) if has_tiles else 0
    height = picture.figure["layout"]["height"]
    scale = SCALE if file.suffix == ".png" else 1
    return {"width": max(WIDTH, wide), "height": height, "scale": scale}
