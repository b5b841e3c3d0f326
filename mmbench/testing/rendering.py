"""Verdicts as text for a terminal, Markdown for a pull request, and JSON."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence

from mmbench.testing.examination import Verdict

_WIDTH = 98


def as_text(verdicts: Sequence[Verdict]) -> str:
    """Return the failures in full, and the rest as counts."""
    return "\n".join(line for verdict in verdicts for line in _text(verdict))


def _text(verdict: Verdict) -> list[str]:
    lines = [f"{verdict.title}: {counts(verdict)}"]
    for finding in verdict.failures:
        lines += _wrapped(f"  FAILED {finding.check}: ", finding.what)
        lines += _wrapped("    why:  ", finding.why)
        lines += _wrapped("    mend: ", finding.mend)
    return lines


def _wrapped(head: str, text: str) -> list[str]:
    indent = " " * (10 if head.startswith("    ") else 4)
    return textwrap.wrap(
        f"{head}{text}",
        _WIDTH,
        subsequent_indent=indent,
        drop_whitespace=True,
        break_long_words=False,
        break_on_hyphens=False,
    )


def counts(verdict: Verdict) -> str:
    """Return how many checks passed, failed and were skipped, in words."""
    parts = [f"{verdict.count('passed')} checks passed"]
    if verdict.failures:
        parts.append(f"{len(verdict.failures)} failed")
    if verdict.count("skipped"):
        parts.append(f"{verdict.count('skipped')} skipped")
    return ", ".join(parts)


def as_markdown(verdicts: Sequence[Verdict]) -> str:
    """Return a summary to paste into a pull request: failures first, then every check."""
    from importlib.metadata import version

    lines = [f"### mmbench check (mmbench {version('mmbench')})", ""]
    for verdict in verdicts:
        mark = "❌" if verdict.failures else "✅"
        source = " ".join(filter(None, [verdict.plugin, verdict.version]))
        lines += [f"{mark} **{_cell(verdict.title)}** ({_cell(source)}): {counts(verdict)}", ""]
        for finding in verdict.failures:
            lines.append(f"- **{finding.check}**: {_cell(finding.what)}  ")
            lines += [f"  *Why:* {finding.why}  ", f"  *Mend:* {finding.mend}"]
        if verdict.failures:
            lines.append("")
        lines += ["<details><summary>all checks</summary>", "", "| check | | remark |"]
        lines.append("|---|---|---|")
        for finding in verdict.findings:
            lines.append(f"| {finding.check} | {finding.status} | {_cell(finding.what)} |")
        lines += ["", "</details>", ""]
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Return a text in one line that Markdown shows as it is."""
    return re.sub(r"([\\`*_{}\[\]<>|~&])", r"\\\1", " ".join(text.split()))


def as_json(verdicts: Sequence[Verdict]) -> str:
    """Return everything, for programs."""
    content = [
        {
            "sort": verdict.sort,
            "name": verdict.name,
            "kind": verdict.kind or None,
            "plugin": verdict.plugin,
            "version": verdict.version or None,
            "passed": not verdict.failures,
            "checks": [finding.to_dict() for finding in verdict.findings],
        }
        for verdict in verdicts
    ]
    return json.dumps(content, indent=2, ensure_ascii=False)
