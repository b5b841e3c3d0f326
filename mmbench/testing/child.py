"""The process in which plugins are loaded and checked; it appends what happens to a file.

It may be killed by what a plugin does at any point; whoever started it (`examination`) then knows
from the events which check was under way.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmbench.catalogue import Catalogue, Entry, load_catalogue
from mmbench.contracts import KINDS
from mmbench.errors import UserError, did_you_mean
from mmbench.testing.again import decode_request
from mmbench.testing.subject import Subject


class _Events:
    def __init__(self, path: Path) -> None:
        self._path = path

    def tell(self, **event: Any) -> None:
        """Append one event, whole."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def main(given: Mapping[str, Any], told: Path) -> None:
    """Do what is asked for: find the entries, or run the checks of one.

    Parameters
    ----------
    given : mapping
        The task.
    told : Path
        The file of events.
    """
    events = _Events(told)
    try:
        if given["task"] == "find":
            _find(given, events)
        else:
            _examine(given, events)
    except UserError as error:
        events.tell(event="mistake", message=str(error))


def _find(given: Mapping[str, Any], events: _Events) -> None:
    registrations = base64.b64decode(given["registrations"])
    events.tell(event="loading", plugins=given["plugins"])
    catalogue = load_catalogue(given["plugins"], registrations)
    catalogue.check()
    entries = _wanted(given["words"], given["plugins"], catalogue)
    broken = [] if entries else [p for p in catalogue.plugins if p.name in given["words"]]
    if broken:
        events.tell(event="broken", plugin=broken[0].name, failure=broken[0].failure)
        return
    events.tell(
        event="found",
        entries=[
            {
                "sort": entry.sort,
                "name": entry.name,
                "plugin": entry.plugin.name,
                "version": entry.plugin.version,
                "kind": kind,
            }
            for entry in entries
            for kind in (entry.kinds or ("",))
        ],
    )


def _wanted(words: list[str], plugins: list[str], catalogue: Catalogue) -> list[Entry]:
    """Return the entries of ``NAME``, ``SORT:NAME`` and plugins, or of the ``--plugin`` given."""
    every = [entry for entries in catalogue.entries.values() for entry in entries.values()]
    if not words:
        files = {Path(name).name if name.endswith(".py") else name for name in plugins}
        return [entry for entry in every if entry.plugin.name in files]
    found: list[Entry] = []
    for word in words:
        named = catalogue.named(word) or [e for e in every if e.plugin.name == word]
        if not named and word not in {plugin.name for plugin in catalogue.plugins}:
            known = [*(e.name for e in every), *(p.name for p in catalogue.plugins)]
            bare = word.rpartition(":")[2]
            raise UserError(f"check: there is no {word!r}{did_you_mean(bare, known)}")
        found += [entry for entry in named if entry not in found]
    return found


def _examine(given: Mapping[str, Any], events: _Events) -> None:
    from mmbench.testing.checks import checks_for
    from mmbench.testing.kit import examine

    _one_thread()
    subject = decode_request(given["request"]).subject()
    assert not subject.request.kind or subject.request.kind in KINDS
    _options(subject)
    for name, finding in examine(checks_for(subject.entry), subject, given["ended"]):
        if finding is None:
            events.tell(event="begun", check=name)
        else:
            events.tell(event="ended", **finding.to_dict())
    events.tell(event="done")


def _options(subject: Subject) -> None:
    """See that the options given are the plugin's; a mistake there is the user's."""
    from mmbench.options import signature

    if not subject.request.params:
        return
    try:
        accepted = signature(subject.entry)
    except BaseException:  # told by the check `importable`
        return
    accepted.validate(subject.request.params, f"{subject.entry.sort} {subject.entry.name}")


def _one_thread() -> None:
    """Compute with one thread, as a job does by default."""
    import threadpoolctl

    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # what is loaded from now on
    threadpoolctl.threadpool_limits(1)
