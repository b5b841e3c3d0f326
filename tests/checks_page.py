"""Writes the reference of all checks from the checks themselves.

``python tests/checks_page.py > docs/plugins/checks.md``
"""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

from mmbench.catalogue import Entry, Plugin
from mmbench.contracts import LEVELS
from mmbench.testing.checks import checks_for
from mmbench.testing.examination import LOADS_MEND, LOADS_WHY
from mmbench.testing.kit import Check

HEAD = """\
# The checks

`mmbench check` asks each plugin what is asked of its sort. A check passes, fails, or is skipped,
with the reason; one that builds on another is not reached where that has failed. They are made
in a process of their own: a plugin that exits, hangs or crashes there has failed the check under
way, and the others go on. Without [loads](#loads) there is nothing to check.

This page is written by `python tests/checks_page.py`, from the checks themselves.

| checks | asked of |
|---|---|"""

SORTS = {
    "dataset": {"sort": "dataset"},
    "encoder": {"sort": "encoder"},
    "alignment": {"sort": "alignment"},
    **{f"{level} fusion": {"sort": "fusion", "level": level} for level in LEVELS},
    "head": {"sort": "head"},
    "metric": {"sort": "metric"},
    "runner": {"sort": "runner"},
}
"""What is registered of each sort, as it is called here."""


def page() -> str:
    """Return the page, in Markdown."""
    suites = _suites()
    headings = dict(_headings(suites))
    lines = [HEAD]
    for module, (checks, sorts) in suites.items():
        links = ", ".join(f"[{c.name}](#{_slug(headings[module, c.name])})" for c in checks)
        lines.append(f"| {links} | {_asked_of(sorts)} |")
    lines += ["", "## What is asked before all else"]
    lines += _section("loads", "It can be imported, and registers.", LOADS_WHY, LOADS_MEND)
    for module, (checks, _) in suites.items():
        lines += ["", f"## {_title(module)}"]
        for check in checks:
            what = inspect.getdoc(check.look) or ""
            heading = headings[module, check.name]
            lines += _section(heading, what, check.why, check.mend, check.needs)
    return "\n".join(lines) + "\n"


Suites = dict[str, tuple[list[Check], list[str]]]
"""By module: its checks, and the sorts of which they are asked."""


def _suites() -> Suites:
    found: Suites = {}
    for sort, registered in SORTS.items():
        entry = Entry(name="", target=None, plugin=Plugin(""), **registered)  # type: ignore[arg-type]
        for check in checks_for(entry):
            checks, sorts = found.setdefault(check.look.__module__, ([], []))
            if check not in checks:
                checks.append(check)
            if sort not in sorts:
                sorts.append(sort)
    return found


def _asked_of(sorts: list[str]) -> str:
    return "every plugin" if len(sorts) == len(SORTS) else ", ".join(sorts)


def _headings(suites: Suites) -> Iterator[tuple[tuple[str, str], str]]:
    """Yield each check's heading: its name, with its sort's where others have another of it."""
    times = Counter(check.name for checks, _ in suites.values() for check in checks)
    for module, (checks, sorts) in suites.items():
        for check in checks:
            own = len(sorts) == 1 and times[check.name] > 1
            yield (module, check.name), f"{check.name} ({sorts[0]})" if own else check.name


def _slug(heading: str) -> str:
    return heading.replace(" ", "-").replace("(", "").replace(")", "")


def _title(module: str) -> str:
    first = (inspect.getdoc(sys.modules[module]) or "").partition("\n\n")[0]
    return " ".join(first.split()).rstrip(".")


def _section(heading: str, what: str, why: str, mend: str, needs: Iterable[str] = ()) -> list[str]:
    text = " ".join(what.replace("``", "`").split())
    after = [f"- **After:** {', '.join(needs)}"] if needs else []
    return ["", f"### {heading}", "", text, "", f"- **Why:** {why}", f"- **Mend:** {mend}", *after]


if __name__ == "__main__":
    sys.stdout.write(page())
