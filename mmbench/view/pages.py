"""The pages: the list of runs, a run that goes on, and what is told where there is nothing."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import dataclass
from functools import cache
from html import unescape
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from mmbench.errors import printable
from mmbench.view.listing import Listed, Unfinished

RUN = "/run/"
"""What the addresses of runs begin with."""

_ALWAYS = "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_POLICY = re.compile('<meta http-equiv="Content-Security-Policy" content="([^"]*)">')


@dataclass(frozen=True)
class Page:
    """A page in HTML, and the Content-Security-Policy under which it is shown."""

    text: str
    policy: str


def address(place: str) -> str:
    """Return the path of a run's page; names that are no UTF-8 are kept."""
    return RUN + quote(os.fsencode(place))


def place_of(path: str) -> str | None:
    """Return the place of the run that a path asks for, None where it asks for none."""
    if not path.startswith(RUN):
        return None
    return os.fsdecode(unquote_to_bytes(path.removeprefix(RUN)))


def runs_page(root: str, runs: list[Listed]) -> Page:
    """Return the list of all runs."""
    return _page("runs.html.j2", root=root, runs=runs)


def run_page(run: str | Unfinished) -> Page:
    """Return the page of a run: its report, under that one's own policy, or how far it is."""
    if isinstance(run, Unfinished):
        return _page("run.html.j2", run=run.listed, detail=run)
    found = _POLICY.search(run)
    assert found is not None, "a report says what it may do"
    return Page(run, f"{unescape(found[1])}; {_ALWAYS}")


def failure_page(title: str, told: str) -> Page:
    """Return a page that tells why there is nothing to show."""
    return _page("failure.html.j2", title=title, told=told)


def _page(template: str, **told: Any) -> Page:
    templates, style, script = _templates()
    text = templates.get_template(template).render(style=style, script=script, **told)
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'; {_ALWAYS}"
    )
    return Page(printable(text), policy)


@cache
def _templates() -> tuple[Any, Any, Any]:
    """Return the templates, the style sheet and the script."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    loader, report = PackageLoader("mmbench.view"), PackageLoader("mmbench.report")
    made = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"address": address, "moment": _moment}
    styles = (report.get_source(made, "report.css")[0], loader.get_source(made, "view.css")[0])
    return made, Markup("".join(styles)), Markup(loader.get_source(made, "view.js")[0])


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _moment(when: str) -> str:
    """Return a moment to the minute."""
    return f"{when[:16].replace('T', ' ')} UTC" if when else ""
