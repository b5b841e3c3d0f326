"""What is known of the jobs at work; imports nothing, as it has a process of its own."""

from __future__ import annotations


class Board:
    """Knows of the jobs at work how far each is (an actor: one for a run)."""

    def __init__(self) -> None:
        self._shares: dict[str, float | None] = {}

    def tell(self, key: str, share: float | None) -> None:
        """Note how far a job is."""
        self._shares[key] = share

    def forget(self, key: str) -> None:
        """Note that a job has ended."""
        self._shares.pop(key, None)

    def shares(self) -> dict[str, float | None]:
        """Return how far each is, by the job's key."""
        return self._shares
