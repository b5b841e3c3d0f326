"""Has plugins checked in processes of their own, and says how it went.

A plugin may exit, hang, or take its process down; that is then a finding like any other, and the
checks that are left go on in a fresh process.
"""

from __future__ import annotations

import base64
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmbench import processes
from mmbench.catalogue import notebook_registrations
from mmbench.errors import UserError
from mmbench.testing import child
from mmbench.testing.again import encode_request
from mmbench.testing.kit import Finding
from mmbench.testing.subject import Request

TIMEOUT = 120.0
"""Seconds that one check may take."""

_POLL = 0.05

LOADS_WHY = "What cannot be imported and registered offers nothing, and may take others with it."
LOADS_MEND = "Import it in a shell; leave exits, downloads and work out of the module's top level."


class NothingToCheckError(Exception):
    """The plugins named register nothing."""


@dataclass
class Verdict:
    """How one plugin stood the checks.

    Attributes
    ----------
    sort, name, kind : str
        What was checked; ``kind`` is the kind of items of an encoder, else empty.
    plugin, version : str
        Where it comes from.
    findings : list of Finding
        How each check ended, in order.
    """

    sort: str
    name: str
    kind: str = ""
    plugin: str = ""
    version: str = ""
    findings: list[Finding] = field(default_factory=list)

    @property
    def title(self) -> str:
        """What was checked, as it is shown."""
        return f"{self.sort} {self.name}" + (f" ({self.kind})" if self.kind else "")

    @property
    def failures(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.findings if finding.status == "failed"]

    def count(self, status: str) -> int:
        """Return how many checks ended so."""
        return sum(finding.status == status for finding in self.findings)


PER_PLUGIN = "light-import"
"""The check whose finding holds for all that a plugin registers."""

Listener = Callable[[Verdict, str], None]
"""Told which check of which plugin begins."""


def examinations(
    words: Sequence[str] = (),
    *,
    plugins: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    timeout: float = TIMEOUT,
    listener: Listener | None = None,
) -> Iterator[Verdict]:
    """Check plugins, one after the other.

    Parameters
    ----------
    words : sequence of str
        ``NAME``, ``SORT:NAME`` or the name of an installed plugin; none means all that
        ``plugins`` register.
    plugins : sequence of str
        Files and modules to load besides the installed ones.
    params : mapping, optional
        Options to build them with.
    timeout : float
        Seconds that one check may take.
    listener : callable, optional
        Told of each check that begins.

    Yields
    ------
    Verdict

    Raises
    ------
    UserError
        A name or file that is not there.
    NothingToCheckError
        The plugins register nothing.
    """
    registrations = notebook_registrations()
    found = _find(words, plugins, registrations, timeout)
    if isinstance(found, Verdict):
        yield found
        return
    if not found:
        raise NothingToCheckError(f"{', '.join([*words, *plugins])}: it registers nothing")
    shared: dict[str, Finding] = {}
    for one in found:
        verdict = Verdict(one["sort"], one["name"], one["kind"], one["plugin"], one["version"])
        request = Request(
            verdict.sort,
            verdict.name,
            verdict.kind,
            dict(params or {}),
            tuple(plugins),
            registrations,
        )
        if verdict.plugin in shared:
            verdict.findings.append(shared[verdict.plugin])
        _examine(verdict, request, timeout, listener)
        shared.update((verdict.plugin, f) for f in verdict.findings if f.check == PER_PLUGIN)
        yield verdict


def _find(
    words: Sequence[str], plugins: Sequence[str], registrations: bytes, timeout: float
) -> list[dict[str, str]] | Verdict:
    """Return what is to be checked, or the verdict on a plugin that does not even load."""
    task = {
        "task": "find",
        "words": list(words),
        "plugins": list(plugins),
        "registrations": base64.b64encode(registrations).decode(),
    }
    with _Child(task) as process:
        loading = True
        for event in process.events(timeout):
            if event["event"] == "mistake":
                mistake = event["message"]
                if "failed to load" in mistake:
                    return _unloaded(plugins[0], mistake.partition("failed to load: ")[2])
                raise UserError(mistake)
            if event["event"] == "broken":
                return _unloaded(event["plugin"], event["failure"])
            if event["event"] == "found":
                entries: list[dict[str, str]] = event["entries"]
                return entries
            loading = event["event"] == "loading"
        if not loading or not plugins:
            raise UserError(f"check: the plugins cannot be listed: {process.fate}")
        return _unloaded(plugins[0], process.fate)


def _unloaded(plugin: str, failure: str) -> Verdict:
    finding = Finding("loads", "failed", failure, LOADS_WHY, LOADS_MEND)
    return Verdict("plugin", Path(plugin).name, plugin=plugin, findings=[finding])


def _examine(verdict: Verdict, request: Request, timeout: float, listener: Listener | None) -> None:
    """Run all checks of one plugin, in as many processes as it takes."""
    while True:
        ended = {finding.check: finding.status for finding in verdict.findings}
        task = {"task": "examine", "request": encode_request(request), "ended": ended}
        begun = ""
        with _Child(task) as process:
            for event in process.events(timeout):
                match event.pop("event"):
                    case "begun":
                        begun = event["check"]
                        if listener is not None:
                            listener(verdict, begun)
                    case "ended":
                        verdict.findings.append(Finding(**event))
                        begun = ""
                    case "mistake":
                        raise UserError(event["message"])
                    case "done":
                        return
            fate = f"{process.fate}{f' ({process.last_line})' if process.last_line else ''}"
        why, mend = _words(verdict, begun)
        verdict.findings.append(Finding(begun or "loads", "failed", fate, why, mend))
        if not begun:
            return


def _words(verdict: Verdict, check: str) -> tuple[str, str]:
    """Return why a check matters and how it is mended, asked of the checks themselves."""
    if not check:
        return LOADS_WHY, LOADS_MEND
    return (
        "What ends or blocks its process fails its cells, and costs the work in progress.",
        "Raise an exception where something is wrong; leave `os._exit`, signals and waiting alone.",
    )


class _Child:
    """One process that checks, and the events that it tells."""

    def __init__(self, task: Mapping[str, Any]) -> None:
        self._task = task
        self.fate = ""

    def __enter__(self) -> _Child:
        self._folder = tempfile.TemporaryDirectory(prefix="mmbench-check-")
        folder = Path(self._folder.name)
        self._events, self._log = folder / "events.jsonl", folder / "log"
        self._events.touch()
        self._log.touch()
        self._process = processes.start(
            child.main, self._task, self._events, name="mmbench-check", log=self._log
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._folder.cleanup()

    def _kill(self) -> None:
        processes.end(self._process, grace=0)

    @property
    def last_line(self) -> str:
        """The last line that it printed."""
        lines = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else ""

    def events(self, timeout: float) -> Iterator[dict[str, Any]]:
        """Yield what it tells, until it ends or tells nothing for too long; then see `fate`."""
        from mmbench.jobs import death

        deadline = time.monotonic() + timeout
        with self._events.open(encoding="utf-8") as file:
            rest = ""
            while True:
                ended = not self._process.is_alive()
                rest += file.read()
                *lines, rest = rest.split("\n")
                for line in lines:
                    yield json.loads(line)
                    deadline = time.monotonic() + timeout
                if ended:
                    self.fate = death(self._process.exitcode).reason
                    return
                if time.monotonic() > deadline:
                    self._kill()
                    self.fate = f"it took longer than {timeout:g} s"
                    return
                time.sleep(_POLL)
