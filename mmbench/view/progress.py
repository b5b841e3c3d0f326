"""How far a run is that has not come to its end: what it noted at its start, and its journal."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mmbench.folder import JOURNAL, PROGRESS


class Progress:
    """Follows a run's journal; each `update` reads only what was added.

    Parameters
    ----------
    folder : Path
        The run's folder.

    Attributes
    ----------
    noted : mapping
        What the run has noted: when it began, how many cells there are.
    rows : dict of str to dict
        By cell, the rows that have been added since, oldest first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.noted: Mapping[str, Any] = {}
        self.rows: dict[str, dict[str, Any]] = {}
        self._text = ""
        self._position = 0

    def update(self) -> None:
        """Read what is new.

        Raises
        ------
        OSError, ValueError
            A file cannot be read, or is not what a run writes.
        """
        try:
            text = (self.folder / PROGRESS).read_text("utf-8")
        except FileNotFoundError:
            text = "{}"
        if text != self._text:  # another run than was followed so far
            noted = json.loads(text)
            if not isinstance(noted, dict):
                raise ValueError(f"{PROGRESS}: an object was expected")
            self._text, self.noted, self.rows = text, noted, {}
            self._position = int(noted.get("journal", 0))
        for row in self._added():
            self.rows.pop(row["cell"], None)
            self.rows[row["cell"]] = row

    @property
    def when(self) -> str:
        """When it was noted, in ISO 8601; empty where nothing was."""
        return str(self.noted.get("noted", ""))

    @property
    def statuses(self) -> Counter[str]:
        """How many cells there are of each status."""
        before = Counter({str(k): int(n) for k, n in self.noted.get("statuses", {}).items()})
        return before + Counter(row["status"] for row in self.rows.values())

    @property
    def cells(self) -> int | None:
        """How many cells there will be; None where the run has not noted it."""
        return int(self.noted["cells"]) if "cells" in self.noted else None

    def _added(self) -> Iterator[dict[str, Any]]:
        """Yield the rows of the lines that were ended since the last call."""
        try:
            with open(self.folder / JOURNAL, "rb") as file:
                file.seek(self._position)
                added = file.read()
        except FileNotFoundError:
            return
        added = added[: added.rfind(b"\n") + 1]
        self._position += len(added)
        for line in added.split(b"\n"):
            try:
                row = json.loads(line)["row"]
                is_row = isinstance(row["cell"], str) and isinstance(row["status"], str)
            except (ValueError, KeyError, TypeError):
                continue  # cut while it was written
            if is_row:
                yield row
