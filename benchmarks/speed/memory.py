"""The memory that embedding takes, as the number of items grows.

Run as ``python -m benchmarks.speed.memory``, it writes ``results/speed/memory-cpu.{csv,md}``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.speed.sidebyside import ROUNDS
from benchmarks.speed.streams import Stream
from benchmarks.speed.tables import write

PLUGIN = Path(__file__).with_name("streams.py")
COUNTS = (1_000, 25_000, 50_000, 100_000, 200_000)
ENCODERS = {"vector": "identity", "text": "hashing"}
"""What embeds the items of a kind: into a dense matrix, or into a sparse one (CSR)."""
INTERVAL = 0.02
"""Seconds between two readings."""
TARGET = 300
"""Megabytes that memory may grow by, whatever the count."""

TEXT = f"""\
`mmbench.run` with an empty store on items of 768 floats (`identity`, dense) and texts of 60 words
(`hashing`, CSR), all embedded in one process, of which {{having}} are then fitted and tested: the
others lack a second modality (`missing = "skip"`). `growth_mb` is how much the anonymous resident
memory of that process grows from its first reading to its largest (`Anonymous` in
`/proc/PID/smaps_rollup`, read from outside every {1000 * INTERVAL:g} ms): median over {{rounds}}
rounds, with their range. It holds the plugins and scikit-learn, loaded after the first reading, and
the fit: the row of {COUNTS[0]:,} items says how much these are. `per_item_bytes` is what each
further item adds, compared with that row; `stored_mb` is the size of the embedding. `driver_mb` is
the growth of the process that plans and writes the table. Target: {TARGET} MB, whatever the
count."""


@dataclass
class Level:
    """Anonymous resident memory of a process, in bytes: at first, and at most."""

    first: int
    most: int

    @property
    def growth(self) -> float:
        """How much it grew by, in megabytes."""
        return (self.most - self.first) / 1e6


class Watch(threading.Thread):
    """Reads this process's anonymous memory, and that of processes it starts, until left.

    Attributes
    ----------
    own : Level
        Of this process.
    started : dict of int to Level
        By id: of processes that were not there on entering.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._over = threading.Event()

    def __enter__(self) -> Self:
        self._before = set(_descendants(self._pid))
        level = anonymous(self._pid)
        self.own, self.started = Level(level, level), dict[int, Level]()
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self.join()

    def run(self) -> None:
        """Read every `INTERVAL`."""
        while not self._over.wait(INTERVAL):
            self.own.most = max(self.own.most, anonymous(self._pid))
            for pid in set(_descendants(self._pid)) - self._before:
                try:
                    level = anonymous(pid)
                except OSError:  # it has ended
                    continue
                known = self.started.setdefault(pid, Level(level, level))
                known.most = max(known.most, level)


def anonymous(pid: int) -> int:
    """Return the anonymous resident memory of a process, in bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    (line,) = (line for line in lines if line.startswith("Anonymous:"))
    return 1024 * int(line.split()[1])


def _descendants(pid: int) -> Iterator[int]:
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = file.read_text(encoding="ascii").split()
        except OSError:  # the thread has ended
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)


def matrix(items: int, kind: str) -> dict[str, Any]:
    """Return a matrix that embeds all items and fits few."""
    return {
        "name": "memory",
        "datasets": [{"use": "stream", "items": items, "kind": kind}],
        "encoders": {"many": ENCODERS[kind], "few": "identity"},
        "fusions": ["concat"],
        "heads": ["logistic-regression"],
        "missing": ["skip"],
        "exclude": [{"fusion": "none"}],
    }


def embed(items: int, kind: str) -> dict[str, float]:
    """Run the matrix once and return what memory it took.

    Raises
    ------
    AssertionError
        The embedding in the store is not that of the items.
    """
    import mmbench
    from mmbench.store import Store

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Watch(os.getpid()) as watch:
            table = mmbench.run(
                matrix(items, kind),
                out=folder / "run",
                store=folder / "store",
                jobs=1,
                plugins=[str(PLUGIN)],
            )
        (cell,) = table[table["fusion"] == "concat"].to_dict("records")
        assert cell["status"] == "ok", cell["reason"]
        stored = Store(folder / "store")
        (key,) = (k for k in stored if (stored.meta(k) or {}).get("label", "").startswith(LABEL))
        check(stored.open(key).matrix("values"), items, kind)
        size = stored.size(key) / 1e6
    worker = max(watch.started.values(), key=lambda level: level.most)
    return {"growth_mb": worker.growth, "driver_mb": watch.own.growth, "stored_mb": size}


LABEL = "embed stream.many "


def check(values: Any, items: int, kind: str) -> None:
    """See that some rows of a stored embedding, the last included, are those of their items."""
    from mmbench.catalogue import load_catalogue
    from mmbench.options import build

    assert values.shape[0] == items
    rows = np.linspace(0, items - 1, 50).astype(int)
    entry = load_catalogue().find("encoder", ENCODERS[kind], "encoders")
    given = Stream(items=items, kind=kind).items("many")
    expected = build(entry, {}, {}).encode([given[i] for i in rows])
    found = values[rows]
    if kind == "text":
        found, expected = found.toarray(), expected.toarray()
    np.testing.assert_array_equal(found, expected)


def growth(counts: tuple[int, ...] = COUNTS, rounds: int = ROUNDS) -> list[dict[str, Any]]:
    """Return the rows of the table."""
    for kind in ENCODERS:
        embed(100, kind)  # the fork server has begun, and this process has imported what it needs
    made: dict[tuple[str, int], list[dict[str, float]]] = {}
    for _ in range(rounds):
        for kind in ENCODERS:
            for items in counts:
                made.setdefault((kind, items), []).append(embed(items, kind))
    rows: list[dict[str, Any]] = []
    for (kind, items), each in made.items():
        grown = [one["growth_mb"] for one in each]
        row = {name: statistics.median(one[name] for one in each) for name in each[0]}
        fewest = next((r for r in rows if r["kind"] == kind), None)
        further = fewest and (row["growth_mb"] - fewest["growth_mb"]) / (items - fewest["items"])
        rows.append(
            {
                "kind": kind,
                "encoder": ENCODERS[kind],
                "items": items,
                **row,
                "low": min(grown),
                "high": max(grown),
                "per_item_bytes": None if further is None else 1e6 * further,
                "target": TARGET,
                "rounds": rounds,
            }
        )
    return rows


def main() -> None:
    """Write the table."""
    import pandas as pd

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--counts", type=int, nargs="+", default=COUNTS, help="of items")
    parser.add_argument("--out", type=Path, default=Path("results/speed"))
    given = parser.parse_args()
    table = pd.DataFrame(growth(tuple(given.counts), given.rounds)).round(2)
    write("memory", "cpu", table, table, TEXT.format(having=200, rounds=given.rounds), given.out)


if __name__ == "__main__":
    main()
