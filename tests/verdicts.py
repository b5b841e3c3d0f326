"""How plugin files stand the conformance kit; each file is checked once in a test process."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mmbench.testing import Verdict, examinations


def checked(file: Path, **options: Any) -> dict[str, list[Verdict]]:
    """Return the verdicts on all that a file registers, by name, without installed plugins."""
    found: dict[str, list[Verdict]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MMBENCH_PLUGINS", "")
        for verdict in examinations(plugins=[str(file)], **options):
            found.setdefault(verdict.name, []).append(verdict)
    return found


@cache
def of_file(name: str) -> Mapping[str, list[Verdict]]:
    """Return the verdicts on a file beside this one."""
    return checked(Path(__file__).parent / f"{name}.py")


def assert_caught(verdicts: list[Verdict], check: str) -> None:
    """Assert that one check failed, the one that is meant, and that it says all it has to."""
    (verdict,) = verdicts
    told = {finding.check: finding.what for finding in verdict.failures}
    assert set(told) == {check}, told
    for finding in verdict.failures:
        assert all(text.strip() for text in (finding.what, finding.why, finding.mend))
