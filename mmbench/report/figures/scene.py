"""What the pictures of one dataset share: its names, and figures as Plotly's text and numbers."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from numbers import Real
from typing import TYPE_CHECKING, Any

from mmbench.metrics import bounds_of
from mmbench.report import content
from mmbench.report.gather import Part
from mmbench.report.language import Language
from mmbench.results import KEYS

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]

LINE = 46
"""Characters that fit beside each other on a phone."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One dataset of one run, and the language that its pictures speak.

    Attributes
    ----------
    part : Part
        What the pictures are of.
    say : Language
        What their own words are said in.
    """

    part: Part
    say: Language

    @property
    def metric(self) -> str:
        """The metric that combinations are ranked by."""
        return self.part.metric

    @cached_property
    def higher(self) -> bool:
        """Whether more of the metric is better."""
        return content.higher_is_better(self.metric)

    @cached_property
    def ranked(self) -> list[Row]:
        """The combinations on clean items and whole training parts that have figures, best first.

        Each is a row of the summary.
        """
        return [row for row in self.every if row[self.metric] == row[self.metric]]

    @cached_property
    def every(self) -> list[Row]:
        """These and, last, those without a figure."""
        return records(content.ranked(self.part.rows, self.metric))

    @cached_property
    def leading(self) -> list[Row]:
        """The best combination, the next best and the best modality alone, each once."""
        single = next((row for row in self.ranked if row["fusion"] == "none"), None)
        chosen = [*self.ranked[:2], single]
        return [row for i, row in enumerate(chosen) if row and row not in chosen[:i]]

    def cells(self, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
        """Return the cells of some combinations, of the table as it was read."""
        table = self.part.cells
        wanted = {tuple(row[key] for key in KEYS) for row in rows}
        keys = table[KEYS].itertuples(index=False, name=None)
        return table[[key in wanted for key in keys]]

    @cached_property
    def names(self) -> Names:
        """Of the combinations, trials included."""
        return Names(self.part.all_rows, self.say)

    def file(self, kind: str, *more: str) -> str:
        """Return the name of a picture."""
        return "-".join((kind, *(slug(name) for name in (self.part.title, *more))))

    def interval(self, row: Mapping[str, Any], metric: str = "") -> str:
        """Return a row's metric with its interval, in words."""
        name = metric or self.metric
        value, low, high = row[name], *(row.get(bound, math.nan) for bound in bounds_of(name))
        if low != low or high != high:
            return content.figure(value)
        low, high = content.figure(low), content.figure(high)
        return self.say(
            "{value} ({low} to {high})", value=content.figure(value), low=low, high=high
        )

    def whiskers(self) -> str:
        """Say what whiskers are, or why there are none."""
        low, _ = bounds_of(self.metric)
        if any(number(row.get(low)) is not None for row in self.ranked):
            return self.say("Whiskers are 95 % intervals.")
        return self.say("Intervals are not known.")


def records(rows: pd.DataFrame) -> list[Row]:
    """Return a table's rows, each by its columns' names."""
    columns = [rows[name].tolist() for name in rows]
    return [dict(zip(rows.columns, values, strict=True)) for values in zip(*columns, strict=True)]


class Names:
    """Names combinations by what tells them from each other.

    Parameters
    ----------
    rows : pandas.DataFrame
        Of the summary, of one dataset.
    say : Language
        What words are said in.
    """

    def __init__(self, rows: pd.DataFrame, say: Language) -> None:
        self.say = say
        columns = [name for name in rows.columns if name.startswith("encoder_")]
        used = {
            name.removeprefix("encoder_"): {*rows.loc[rows[name] != "", name]} for name in columns
        }
        self._several = {modality for modality, encoders in used.items() if len(encoders) > 1}
        uses = Counter(encoder for encoders in used.values() for encoder in encoders)
        self._ambiguous = {encoder for encoder, n in uses.items() if n > 1}
        self._heads = len({*rows["head"]} - {""})
        self._whole = max(rows["modalities"], key=lambda names: names.count("+"), default="")
        alike = rows.drop_duplicates(_NAMED)
        told = content.telling_options(alike)
        self._options = dict(zip(_keys(alike), told, strict=True))
        self._short: dict[tuple[Any, ...], str] = {}

    def encoders(self, row: Mapping[str, Any]) -> str:
        """Name a combination's modalities, those that have several encoders by the encoder."""
        n = row["modalities"].count("+") + 1
        if n > 2 and row["modalities"] == self._whole and not self._several:
            return self.say("all {n} modalities", n=n)
        return " + ".join(
            modality
            if modality not in self._several
            else f"{modality}: {encoder}"
            if row[f"encoder_{modality}"] in self._ambiguous
            else encoder
            for modality, encoder in content.encoder_names(row).items()
        )

    def options(self, row: Mapping[str, Any]) -> list[str]:
        """Name the options that tell a combination from others alike, without their roles."""
        key = tuple(row[name] for name in _NAMED)
        return [_ROLE.sub("", option) for option in self._options.get(key, [])]

    def method(self, row: Mapping[str, Any]) -> str:
        """Name alignment, fusion and head, the last where there are several."""
        axes = ("alignment", "fusion", "head") if self._heads > 1 else ("alignment", "fusion")
        return " · ".join(row[axis] for axis in axes if row[axis] not in ("", "none"))

    def short(self, row: Mapping[str, Any]) -> str:
        """Name a combination."""
        key = tuple(row[name] for name in KEYS)
        if key not in self._short:
            name = " · ".join(filter(None, (self.encoders(row), self.method(row))))
            given = self.options(row)
            given += [row[a] for a in ("finetune", "missing") if row[a] not in _DEFAULTS]
            self._short[key] = name + (f" ({', '.join(given)})" if given else "")
        return self._short[key]


_NAMED = ["modalities", "encoders", "alignment", "fusion", "head", "params"]
_DEFAULTS = ("", "mean", "frozen")
_ROLE = re.compile(r"^[^=]*\.(?=[^.=]*=)")


def _keys(rows: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(rows[_NAMED].itertuples(index=False, name=None))


# --- text and numbers --------------------------------------------------------------------------


def shown(text: str) -> str:
    """Return a name for one of Plotly's text fields, which would read markup and TeX in it."""
    return html.escape(text, quote=False).replace("$", "&#36;")


def lines(text: str, width: int = LINE, most: int = 2) -> list[str]:
    """Break a name into lines; what does not fit into so many is cut.

    A letter of Chinese, Japanese or Korean is as wide as two others.
    """
    made, line, wide = [], "", 0
    for word in _WORD.findall(text):
        size = _width(word.rstrip())
        if line and wide + size > width:
            made.append(line.rstrip())
            line, wide = "", 0
        while _width(word.rstrip()) > width:
            cut = _fitting(word, width)
            cut = word.rfind("-", 1, cut) + 1 or cut
            made.append(word[:cut])
            word = word[cut:]
        line, wide = line + word, wide + _width(word)
    made.append(line.rstrip())
    made = [each for each in made if each] or [""]
    if len(made) > most:
        last = made[most - 1]
        made = [*made[: most - 1], last[: _fitting(last, width - 1)] + "…"]
    return made


def wrapped(text: str, width: int = LINE, most: int = 2) -> str:
    """Return a name, safe in a text field, in lines of so many characters."""
    return "<br>".join(shown(line) for line in lines(text, width, most))


_WORD = re.compile(r"(?:[·+] )?\S+\s*|\s+")


def _width(text: str) -> int:
    return sum(_columns(letter) for letter in text)


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _fitting(text: str, width: int) -> int:
    """Return how many letters of a text fit, one at least."""
    wide = 0
    for place, letter in enumerate(text):
        wide += _columns(letter)
        if wide > width:
            return max(place, 1)
    return len(text)


def slug(text: str) -> str:
    """Return a name in lower case that is safe in a file's."""
    return re.sub(r"[^\w.]+|\.+(?=\.|$)", "-", text.lower()).strip("-._")[:40] or "x"


def number(value: Any) -> float | None:
    """Return a figure as JSON has it: None where there is none."""
    is_number = isinstance(value, Real) and math.isfinite(value)
    return float(value) if is_number else None


def rank_group(row: Mapping[str, Any]) -> int | None:
    """Return a combination's rank group; None where there is none."""
    value = number(row.get("rank_group", None))
    return None if value is None else int(value)


def numbers(values: Iterable[Any]) -> list[float | None]:
    """Return figures as JSON has them."""
    return [number(value) for value in values]


def whiskers(
    value: Iterable[Any], low: Iterable[Any], high: Iterable[Any], **more: Any
) -> dict[str, Any]:
    """Return Plotly's error bars from figures to the bounds of their intervals."""
    told = list(zip(value, low, high, strict=True))
    return {
        "type": "data",
        "symmetric": False,
        "array": numbers(h - v for v, _, h in told),
        "arrayminus": numbers(v - lo for v, lo, _ in told),
        "thickness": 1,
        "width": 0,
        **more,
    }
