"""What is asked of alignments."""

from __future__ import annotations

from mmbench.errors import one_line
from mmbench.testing import specimens
from mmbench.testing.arrays import dense
from mmbench.testing.kit import BrokenContractError, Suite
from mmbench.testing.subject import AlignmentSubject

suite = Suite()


@suite.check(
    "modalities",
    why="What comes after is told by modality: a missing or new name has no place.",
    mend="Return a mapping with the names that were given.",
    needs=("rows",),
)
def modalities(subject: AlignmentSubject) -> None:
    """The modalities that come out are those that went in."""
    given, got = list(subject.test), list(subject.output)
    if set(given) != set(got):
        raise BrokenContractError(f"of the modalities {given} it returned {got}")


@suite.check(
    "modality-count",
    why="Datasets have two modalities, or five: an alignment that cannot serve them says so.",
    mend="Work with any number from two on, or raise a ValueError that names what it can do.",
    needs=("modalities", "finite"),
)
def modality_count(subject: AlignmentSubject) -> str:
    """With two to five modalities it works, or raises; with two it works."""
    raised = []
    for count in (2, 3, 5):
        train, test = (
            specimens.features(n, (5,) * count, seed)
            for n, seed in ((subject.n_train, 0), (subject.n_test, 1))
        )
        try:
            fitted = subject.fit(subject.build(), train, subject.train_labels)
            aligned = subject.apply(fitted, test)
        except Exception as error:
            if count == 2:
                raise BrokenContractError(f"with two it raises {one_line(error)}") from error
            raised.append(f"{count}: {type(error).__name__}")
            continue
        for name in test:
            if name not in aligned or len(dense(aligned[name])) != subject.n_test:
                raise BrokenContractError(f"with {count} modalities {name!r} is wanting")
    return "; ".join(raised)
