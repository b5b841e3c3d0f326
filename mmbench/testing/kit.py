"""What a check is, and how the checks of one subject are run: in order, after what they need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Status = Literal["passed", "failed", "skipped"]


class BrokenContractError(Exception):
    """A check has found that the contract is broken; the message says what was seen."""


class NotApplicable(Exception):  # noqa: N818
    """A check has nothing to look at here; the message says why."""


@dataclass(frozen=True)
class Check:
    """One question that is put to a plugin.

    Attributes
    ----------
    name : str
        Under which it is reported, for good.
    look : callable
        Given the subject; returns None or a remark, or raises `BrokenContractError` or
        `NotApplicable`.
    why : str
        What goes wrong in a benchmark where it fails.
    mend : str
        What the author can do.
    needs : tuple of str
        Checks without whose failure this one says something of its own; it is not reached where
        one of them has failed, or was not reached itself.
    """

    name: str
    look: Callable[[Any], str | None]
    why: str
    mend: str
    needs: tuple[str, ...] = ()


@dataclass
class Suite:
    """The checks of one module, in the order in which they are written."""

    checks: list[Check] = field(default_factory=list)

    def check(
        self, name: str, *, why: str, mend: str, needs: Sequence[str] = ()
    ) -> Callable[[Callable[[Any], str | None]], Callable[[Any], str | None]]:
        """Make a function a check of this suite."""

        def add(look: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
            self.checks.append(Check(name, look, why, mend, tuple(needs)))
            return look

        return add


@dataclass(frozen=True)
class Finding:
    """How one check ended."""

    check: str
    status: Status
    what: str = ""
    """What was seen; of a skipped one, why it was skipped."""
    why: str = ""
    mend: str = ""

    def to_dict(self) -> dict[str, str]:
        """Return it as plain values."""
        return asdict(self)


def failed(check: Check, what: str) -> Finding:
    """Return the finding of a check that failed."""
    return Finding(check.name, "failed", what, check.why, check.mend)


def examine(
    checks: Sequence[Check], subject: Any, ended: Mapping[str, str]
) -> Iterator[tuple[str, Finding | None]]:
    """Run the checks that have not ended yet.

    Parameters
    ----------
    checks : sequence of Check
        In order; a check's needs come before it.
    subject : object
        What they look at.
    ended : mapping of str to str
        Names and statuses of checks that ended before, in another process.

    Yields
    ------
    name : str
        Of a check that begins (then the finding is None) or has ended.
    finding : Finding or None
    """
    known = dict(ended)
    by_name = {check.name: check for check in checks}

    def obstacle(check: Check) -> str:
        """Return the failed check that stands in its way, if any."""
        for name in check.needs:
            if known.get(name) == "failed":
                return name
            if name in by_name and (behind := obstacle(by_name[name])):
                return behind
        return ""

    for check in checks:
        if check.name in known:
            continue
        if failure := obstacle(check):
            finding = Finding(check.name, "skipped", f"not reached: {failure} has failed")
        else:
            yield check.name, None
            finding = _look(check, subject)
        known[check.name] = finding.status
        yield check.name, finding


def _look(check: Check, subject: Any) -> Finding:
    from mmbench.errors import PluginError, one_line

    try:
        remark = check.look(subject)
    except NotApplicable as reason:
        return Finding(check.name, "skipped", str(reason))
    except (BrokenContractError, PluginError) as found:
        return failed(check, str(found))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a plugin raises, sys.exit included
        return failed(check, f"it raised {one_line(error)}")
    return Finding(check.name, "passed", remark or "")
