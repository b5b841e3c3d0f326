"""`mmbench check` of runners: each defect is caught by the check made for it, by name."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from mmbench.testing import Verdict, check_runner, examinations
from tests import broken_runners

PLUGIN = broken_runners.__file__

CAUGHT_BY = {
    "no-slots": "members",
    "blocks": "wait-timeout",
    "bare-outcomes": "wait-timeout",
    "forgets": "outcomes",
    "tells-twice": "outcomes",
    "performs-nothing": "performed",
    "hides-failures": "performed",
    "one-by-one": "slots",
    "shows-nothing": "activity",
    "leaves-processes": "close",
    "tampers": "same-table",
    "no-reasons": "failure",
    "loses-crashes": "crash",
    "all-for-one": "crash",
    "threads": "own-process",
    "no-timeout": "timeout",
    "lets-them-hang": "timeout",
}
RUNNERS = dict(broken_runners.RUNNERS)
GOOD = [name for name in RUNNERS if name.startswith("good-")]

Verdicts = dict[str, Verdict]


@pytest.fixture(scope="module")
def verdicts() -> Verdicts:
    """Check the whole zoo, several at once: most of the time is spent waiting for what is lost."""

    def check(name: str) -> Verdict:
        (verdict,) = examinations([f"runner:{name}"], plugins=[PLUGIN])
        return verdict

    with ThreadPoolExecutor(5) as pool:
        return dict(zip(RUNNERS, pool.map(check, RUNNERS), strict=True))


def test_the_zoo_is_complete() -> None:
    assert sorted([*CAUGHT_BY, *GOOD]) == sorted(RUNNERS)


@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_defect_is_caught_by_its_check(name: str, verdicts: Verdicts) -> None:
    failures = verdicts[name].failures
    assert [finding.check for finding in failures] == [CAUGHT_BY[name]]
    assert all(finding.what and finding.why and finding.mend for finding in failures)


@pytest.mark.parametrize("name", GOOD)
def test_the_unusual_passes(name: str, verdicts: Verdicts) -> None:
    assert {finding.check: finding.what for finding in verdicts[name].failures} == {}
    assert {finding.status for finding in verdicts[name].findings} == {"passed"}


def test_the_local_runner_passes() -> None:
    (verdict,) = check_runner("local")
    assert {finding.status for finding in verdict.findings} == {"passed"}


def test_what_was_seen_is_said() -> None:
    with pytest.raises(AssertionError) as caught:
        check_runner("no-slots", plugins=[PLUGIN])
    told = str(caught.value)
    assert "FAILED members: slots is None; a positive int was expected" in told
    assert "Set `slots` to a positive int" in told
