"""What a plugin may say to mmbench: one function per sort of plugin, and three events.

A registration hook is given a ``register`` callable:
``register(name, target, *, kind=..., level=..., trained=False, supervised=False,
out_of_fold=False, standardise=True, sparse=False, handles_missing=False, sequences=False,
finetune=False, summary="")``.
``target`` is a class or factory whose typed keyword parameters are its options, or
``"module:attribute"`` so that nothing heavy is imported to list it. The flags are explained in
`mmbench.contracts`, which says what the built objects must offer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    import click
    import pandas as pd

hookspec = pluggy.HookspecMarker("mmbench")
hookimpl = pluggy.HookimplMarker("mmbench")

Register = Callable[..., None]


@hookspec
def mmbench_register_datasets(register: Register) -> None:
    """Register datasets (`mmbench.contracts.Dataset`)."""


@hookspec
def mmbench_register_encoders(register: Register) -> None:
    """Register encoders (`mmbench.contracts.Encoder`, `TrainedEncoder`); ``kind`` is required."""


@hookspec
def mmbench_register_alignments(register: Register) -> None:
    """Register alignments (`mmbench.contracts.Alignment`)."""


@hookspec
def mmbench_register_fusions(register: Register) -> None:
    """Register fusions; ``level`` (feature, decision or joint) is required."""


@hookspec
def mmbench_register_heads(register: Register) -> None:
    """Register heads (`mmbench.contracts.Head`)."""


@hookspec
def mmbench_register_metrics(register: Register) -> None:
    """Register metrics (`mmbench.contracts.Metric`)."""


@hookspec
def mmbench_register_runners(register: Register) -> None:
    """Register runners (`mmbench.contracts.Runner`)."""


@hookspec
def mmbench_register_commands(cli: click.Group) -> None:
    """Add commands to the ``mmbench`` command line."""


@hookspec
def mmbench_run_started(run: Any) -> None:
    """Tell that a run begins.

    ``run`` has ``name``, ``folder``, ``plan``, ``chosen`` (the cells to work on) and ``rows`` (by
    cell, those of the table so far).
    """


@hookspec
def mmbench_cell_finished(run: Any, row: Mapping[str, Any]) -> None:
    """Tell that a cell has its row, finished or failed."""


@hookspec
def mmbench_run_finished(run: Any, table: pd.DataFrame) -> None:
    """Tell that the run has ended and its table is written."""
