"""The runs of a folder, read as often as they change and no more."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

from mmbench.errors import UserError, one_line
from mmbench.folder import RunFolder
from mmbench.pooled import Pool
from mmbench.results import metrics_of, summarise
from mmbench.standings import headline_metric
from mmbench.view.folders import CELLS, State, find_runs, state_of, stray
from mmbench.view.listing import (
    Listed,
    Unfinished,
    followed,
    read_table,
    settled,
    unfinished,
)
from mmbench.view.progress import Progress

REPORTS = 8
"""How many reports are kept in memory."""


class Library:
    """Reads the runs of a folder; may be used by several threads.

    Parameters
    ----------
    root : Path
        A folder of runs, or a run's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._tables = threading.Lock()  # one at a time: some take long
        self._following = threading.Lock()
        self._listed: dict[str, tuple[State, Listed]] = {}
        self._reports: OrderedDict[str, tuple[State, str]] = OrderedDict()
        self._progress: dict[str, Progress] = {}

    def runs(self) -> list[Listed]:
        """List all runs, unreadable ones included: what goes on first, then the newest."""
        listed = [self._list(place, folder) for place, folder in find_runs(self.root).items()]
        listed.sort(key=lambda run: (run.state == "running", run.when), reverse=True)
        return listed

    def read(self, place: str) -> str | Unfinished | None:
        """Read one run.

        Parameters
        ----------
        place : str
            One that `runs` lists: nothing else is read.

        Returns
        -------
        str or Unfinished or None
            Its report, in HTML, or how far it is where there is none; None where there is no
            such run.

        Raises
        ------
        UserError
            It cannot be read.
        """
        folder = find_runs(self.root).get(place)
        if folder is None:
            return None
        try:
            if why := stray(folder, self.root):
                raise UserError(why)
            is_running = RunFolder(folder).is_claimed
            if is_running or not (folder / CELLS).exists():
                return self._follow(place, folder, is_running)
            return self._report(place, folder)
        except UserError:
            raise
        except Exception as error:  # whatever a file that no run has written leads to
            raise UserError(one_line(error)) from error

    def _list(self, place: str, folder: Path) -> Listed:
        try:
            if why := stray(folder, self.root):
                raise UserError(why)
            if RunFolder(folder).is_claimed:
                return self._follow(place, folder, True).listed
            self._progress.pop(place, None)
            return self._settled(place, folder)
        except Exception as error:  # whatever a file that no run has written leads to
            told = str(error) if isinstance(error, UserError) else one_line(error)
            return Listed(place, folder.name, "unreadable", reason=told)

    def _settled(self, place: str, folder: Path) -> Listed:
        state = state_of(folder)
        known = self._listed.get(place)
        if known is None or known[0] != state:
            with self._tables:
                known = self._listed[place] = state, settled(place, folder)
        return known[1]

    def _follow(self, place: str, folder: Path, is_running: bool) -> Unfinished:
        with self._following:
            progress = self._progress.setdefault(place, Progress(folder))
            listed = followed(place, progress, "running" if is_running else "stopped")
            return unfinished(listed, progress)

    def _report(self, place: str, folder: Path) -> str:
        state = state_of(folder)
        with self._tables:
            known = self._reports.pop(place, None)
            if known is None or known[0] != state:
                known = state, _render(folder)
            self._reports[place] = known
            if len(self._reports) > REPORTS:
                self._reports.popitem(last=False)
        return known[1]


class _Unkept(Pool):
    """Leaves what it computes where it is."""

    def keep(self) -> None:
        """Write nothing."""


def _render(folder: Path) -> str:
    from mmbench.report.gather import gather
    from mmbench.report.html import render

    table = read_table(folder)
    pool = _Unkept(folder, (), metrics_of(table), headline_metric(table))
    return render(gather([table], [summarise(table, pool=pool)]))
