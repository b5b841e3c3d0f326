"""Which runner a run is to have, and what it is given."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mmbench.catalogue import Catalogue, Entry
from mmbench.contracts import Runner
from mmbench.errors import UserError, did_you_mean
from mmbench.workshop import Context


@dataclass(frozen=True)
class RunnerSpec:
    """A registered runner with what the user asked of it.

    Raises
    ------
    UserError
        An address is given to a runner that takes none.
    """

    entry: Entry
    jobs: int | None = None
    timeout: float | None = None
    address: str | None = None
    resources: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """What jobs need, by kind: what the matrix file's ``[resources]`` says, nothing else."""

    def __post_init__(self) -> None:
        if self.address is not None and "address" not in self._asked:
            raise UserError(
                f"--address {self.address}: the runner {self.entry.name!r} takes no address"
            )

    @property
    def _asked(self) -> frozenset[str]:
        """What it asks for by keyword."""
        parameters = inspect.signature(self.entry.load()).parameters
        return frozenset(parameters) & {"address", "jobs", "resources"}

    def make(self, context: Context, tell: Callable[[str], None]) -> Runner:
        """Build and start the runner; ``tell`` is given what it says of itself.

        Raises
        ------
        UserError
            A mistake of the user's that the runner found.
        """
        given = {name: getattr(self, name) for name in self._asked}
        slots = self.jobs or os.cpu_count() or 1
        try:
            runner: Runner = self.entry.load()(context, slots, self.timeout, **given)
            start = getattr(runner, "start", None)
            if start is not None and (about := start()):
                tell(about)
        except (ValueError, OSError) as error:
            raise UserError(f"--runner {self.entry.name}: {error}") from None
        return runner


def find_runner(catalogue: Catalogue, name: str) -> Entry:
    """Return a registered runner, or raise `UserError` with the nearest valid name."""
    known = catalogue.entries["runner"]
    if name not in known:
        raise UserError(f"--runner: unknown runner {name!r}{did_you_mean(name, known)}")
    return known[name]
