"""What is asked of heads alone."""

from __future__ import annotations

from mmbench.distances import Distances
from mmbench.errors import one_line
from mmbench.options import signature
from mmbench.testing.arrays import copied, difference
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.subject import HeadSubject, RowSubject, has_method

suite = Suite()


@suite.check(
    "distances",
    why="Distances are measured once for all combinations and handed over in place of vectors; "
    "the result must not tell which.",
    mend="Let `takes_distances` be true of the options with which the head depends on nothing but "
    "Euclidean distances, and take `mmbench.Distances` wherever rows are taken.",
    needs=("finite", "probabilities"),
)
def distances(subject: RowSubject) -> str:
    """A head that takes distances gives with them what it gives with vectors."""
    assert isinstance(subject, HeadSubject)
    if not has_method(subject.target, "takes_distances"):
        raise NotApplicable("it has no takes_distances")
    options = signature(subject.entry).with_defaults(subject.request.params)
    if not subject.target.takes_distances(**options):
        return "not with these options"
    train, test = Distances.of(subject.train, subject.test)
    try:
        fitted = subject.fit(subject.build(), train, subject.train_labels)
        made = copied(subject.apply(fitted, test))
    except Exception as error:
        raise BrokenContractError(f"given distances it raises {one_line(error)}") from error
    gap = difference(subject.output, made)
    if not gap <= subject.tolerance:
        raise BrokenContractError(
            f"given distances, the result differs by {gap:.1e} of the largest value"
        )
    return f"largest difference {gap:.0e}"
