"""Runs a plan: takes over what is there, has the rest done, and writes the table."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench import processes
from mmbench.cells import Cell
from mmbench.config import read_matrix
from mmbench.environment import environment, resolve_device
from mmbench.errors import DamagedArtefactError, one_line
from mmbench.folder import JOURNAL, PROGRESS, RunFolder
from mmbench.jobs import Job, Outcome
from mmbench.observer import Observer
from mmbench.planner import CellJobs
from mmbench.planning import Plan, make_plan, select
from mmbench.pooled import Pool
from mmbench.results import (
    TIMED,
    TUNED,
    columns,
    make_table,
    metrics_of,
    predictions_file,
    summarise,
    write_table,
)
from mmbench.rows import RowMaker
from mmbench.runners.spec import RunnerSpec, find_runner
from mmbench.schedule import MAX_REPAIRS, Schedule
from mmbench.standings import headline_metric, stand
from mmbench.store import Store, store_at
from mmbench.workshop import Context

if TYPE_CHECKING:
    import pandas as pd


class InterruptedRunError(Exception):
    """The user interrupted a run; what was finished is kept and in its table."""

    def __init__(self, folder: Path, done: int, total: int) -> None:
        super().__init__(f"interrupted: {done} of {total} cells are done; run it again to continue")
        self.folder = folder


class NothingToDoError(Exception):
    """There is no cell to work on (exit status 3)."""


@dataclass
class Run:
    """One execution of a plan in its folder."""

    plan: Plan
    out: RunFolder
    store: Store
    observer: Observer
    chosen: list[Cell]
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By cell id: what the table will hold."""
    total: int = 0
    """How many cells are to be evaluated, those already done included."""
    jobs_left: int = 0
    """How many jobs are still to be done."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.plan.name

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.out.path

    @property
    def table(self) -> pd.DataFrame:
        """The table of cells so far, in the plan's order."""
        plan = self.plan
        order = [*(b.id for b in plan.broken_datasets), *(c.id for c in plan.cells)]
        modalities = dict.fromkeys(m for s in plan.samples.values() for m in s.modalities)
        used = {m for cell in plan.cells for m in cell.modalities}
        names = columns(
            [f"encoder_{m}" for m in modalities if m in used], [m.name for m in plan.metrics]
        )
        names += TUNED if plan.source.matrix.tuning is not None else ()
        names += TIMED if plan.source.matrix.timing is not None else ()
        table = make_table((self.rows[i] for i in order if i in self.rows), names)
        table.attrs = {"folder": str(self.folder), "plugins": plan.plugins}
        return table


def run(
    file: str | Path | Mapping[str, Any],
    *,
    out: str | Path | None = None,
    store: str | Path | None = None,
    runner: str = "local",
    address: str | None = None,
    jobs: int | None = None,
    device: str = "auto",
    timeout: float | None = None,
    limit: int | None = None,
    only: Iterable[str] = (),
    exclude: Iterable[str] = (),
    plugins: Iterable[str] = (),
    overrides: Iterable[str] = (),
    observer: Observer | None = None,
) -> pd.DataFrame:
    """Evaluate a matrix: do what is missing and write the run's folder.

    Parameters
    ----------
    file : path or mapping
        The matrix file, or its content.
    out : path, optional
        The run's own folder; by default ``results/NAME``.
    store : path or str, optional
        Where results are kept, a folder or a URL such as ``s3://bucket/prefix``; by default
        ``MMBENCH_STORE`` or the user's cache folder.
    runner : str
        A registered runner.
    address : str, optional
        Of the cluster, for a runner that joins one.
    jobs : int, optional
        How many jobs at once; by default one per core.
    device : {"auto", "cpu", "cuda"}
        What plugins that ask for a device are given.
    timeout : float, optional
        Seconds that one job may take.
    limit : int, optional
        A stratified sample of that many per dataset.
    only, exclude : iterable of str
        ``column=value``: choose the cells to work on.
    plugins, overrides : iterable of str
        As `make_plan` takes them.
    observer : Observer, optional
        Is told how it goes.

    Returns
    -------
    pandas.DataFrame
        The table of cells; ``attrs["folder"]`` is the run's folder.

    Raises
    ------
    UserError
        A mistake in the file, the data or the arguments.
    NothingToDoError
        No cell is left to work on.
    InterruptedRunError
        The user interrupted it.
    """
    source = read_matrix(file, overrides)
    name = source.name(limit)
    folder = RunFolder(Path(out) if out is not None else Path("results") / name)
    if runner == "local" and not (folder.path / JOURNAL).exists():
        processes.prepare()  # it imports while this process plans
    if address is None or device != "cuda":  # a cluster's GPUs are not this machine's
        device = resolve_device(device)
    plan = make_plan(source, plugins=plugins, limit=limit, device=device)
    chosen = select(plan, only, exclude)
    if not chosen and not plan.broken_datasets:
        raise NothingToDoError("there is no cell to evaluate")
    resources = source.matrix.resources.model_dump(exclude_unset=True)
    entry = find_runner(plan.catalogue, runner)
    wanted = RunnerSpec(entry, jobs, timeout, address, resources)
    kept = store_at(store)
    with folder.claimed(name):
        this = Run(plan, folder, kept, observer or Observer(), chosen)
        return _Execution(this, wanted).perform()


class _Execution:
    def __init__(self, run: Run, runner: RunnerSpec) -> None:
        self.run = run
        self.plan = run.plan
        self.runner = runner
        self.schedule = Schedule(run.plan.graph, run.store)
        self.waiting: dict[str, set[str]] = {}
        """By cell id: keys of the jobs that its row still needs."""
        self.cells = {cell.id: cell for cell in run.plan.cells}
        self.needed_by: dict[str, list[str]] = {}
        self.repairs: dict[str, int] = {}
        self.rows = RowMaker(run.plan, run.store, run.out)

    def perform(self) -> pd.DataFrame:
        run = self.run
        earlier = self._open_folder()
        self._rows_without_work(earlier)
        self._note_progress()
        for key, values in self.plan.graph.arrays.items():
            run.store.put_array(key, values)
        self.schedule.require(key for keys in self.waiting.values() for key in keys)
        run.jobs_left = self.schedule.left
        self._tell("mmbench_run_started", run=run)
        run.observer.started(run)
        context = Context(
            run.store.location,
            self.plan.plugins,
            self.plan.registrations,
            self.plan.source.matrix.threads,
            self.plan.device,
            (run.folder / "logs").resolve(),
        )
        interrupted = False
        try:
            for key in list(self.schedule.outcomes):
                if key in self.schedule.outcomes:  # else it was found damaged, and is made anew
                    self._settled(key)
            if self.schedule.left:
                self._have_done(context)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            run.observer.finished(run)
        if self.plan.source.matrix.timing is not None:
            from mmbench.measurement.phase import time_run

            try:
                time_run(run, context, self.runner.timeout, [] if interrupted else run.chosen)
            except KeyboardInterrupt:
                interrupted = True
        table = self._close_folder(earlier)
        if interrupted:
            done = sum(run.rows.get(c.id, {}).get("status") == "ok" for c in run.chosen)
            raise InterruptedRunError(run.folder, done, run.total)
        (run.folder / PROGRESS).unlink(missing_ok=True)
        return table

    # --- before --------------------------------------------------------------------------------

    def _open_folder(self) -> dict[str, dict[str, Any]]:
        run, plan = self.run, self.plan
        run.out.forget_logs()
        record = {
            "run": plan.name,
            **environment(plan.catalogue),
            "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        }
        run.out.write_json("environment.json", record)
        run.out.write_matrix(plan.source.raw, plan.specs)
        run.out.write_attributes(plan.samples.values())
        run.out.write_json("metrics.json", {m.name: m.params for m in plan.metrics})
        return run.out.journal()

    def _rows_without_work(self, earlier: dict[str, dict[str, Any]]) -> None:
        """Take over finished rows, write those of cells that need no work, note the others."""
        run, plan = self.run, self.plan
        chosen = {cell.id for cell in run.chosen}
        for broken in plan.broken_datasets:
            log = f"dataset {broken.name}\n\n{broken.traceback}"
            run.out.write_text(f"logs/dataset-{broken.id}.log", log)
            self._finish(broken.id, self.rows.broken(broken))
        choices = {id(c): c for cell in plan.cells for c in cell.choices.values() if c.broken}
        for choice in choices.values():
            log = f"{choice.broken}\n\n{choice.traceback}"
            run.out.write_text(f"logs/{choice.entry.sort}-{choice.name}.log", log)
        for cell in plan.cells:
            wanted = plan.wanted.get(cell.id)
            before = earlier.get(cell.id)
            if cell.id not in chosen:
                if before is not None:
                    run.rows[cell.id] = before["row"]
            elif wanted is None:
                status = "skipped" if cell.skipped else "failed"
                self._finish(cell.id, self.rows.row(cell, status, cell.skipped or cell.broken))
            else:
                run.total += 1
                if before is not None and self._is_good(before, wanted):
                    run.rows[cell.id] = before["row"]
                    continue
                self.waiting[cell.id] = {wanted.final, *wanted.scores}
                for key in self.waiting[cell.id]:
                    self.needed_by.setdefault(key, []).append(cell.id)

    def _is_good(self, before: dict[str, Any], wanted: CellJobs) -> bool:
        return (
            before["row"].get("status") == "ok"
            and before.get("fingerprint") == wanted.fingerprint
            and predictions_file(self.run.folder, before["row"]["cell"]).is_file()
        )

    def _note_progress(self) -> None:
        rows = self.run.rows
        statuses = Counter(str(row["status"]) for row in rows.values())
        self.run.out.note_progress(len(rows) + len(self.waiting), statuses)

    # --- while ---------------------------------------------------------------------------------

    def _have_done(self, context: Context) -> None:
        """Have the runner do all jobs that are left."""
        run = self.run
        runner = self.runner.make(context, partial(run.observer.runner, run))
        try:
            self.schedule.run(
                runner, self._settled, lambda: run.observer.tick(run, runner.activity())
            )
        finally:
            runner.close()

    def _settled(self, key: str) -> None:
        """Finish the cells that a settled job was the last for."""
        job, outcome = self.schedule.outcomes[key]
        if outcome.status != "ok" and job.key == key:
            self._keep_log(job, outcome.traceback)
        self.run.jobs_left = self.schedule.left
        self.run.observer.job(self.run, self.plan.graph.jobs[key], outcome)
        for cell_id in self.needed_by.get(key, ()):
            waiting = self.waiting.get(cell_id)
            if waiting is None:
                continue
            waiting.discard(key)
            if not waiting:
                self._finish_evaluated(self.cells[cell_id])

    def _finish_evaluated(self, cell: Cell) -> None:
        wanted = self.plan.wanted[cell.id]
        needed = (wanted.final, *wanted.scores)
        if anew := {key for key in needed if key not in self.schedule.outcomes}:
            self.waiting[cell.id] = anew
            return
        ended = [self.schedule.outcomes[key] for key in needed]
        failures = [(job, outcome) for job, outcome in ended if outcome.status != "ok"]
        try:
            scored = {k for k in wanted.scores if self.schedule.outcomes[k][1].status == "ok"}
            done = ended[0][1].status == "ok"
            values = self.rows.figures(cell, wanted, scored) if done else {}
        except DamagedArtefactError as error:
            self.repairs[cell.id] = self.repairs.get(cell.id, 0) + 1
            if self.repairs[cell.id] <= MAX_REPAIRS * len(needed):
                self.schedule.again(error.key)
                self._finish_evaluated(cell)
                return
            job = self.plan.graph.jobs[error.key]
            values, failures = {}, [(job, Outcome("failed", "its result is damaged each time"))]
        del self.waiting[cell.id]
        if failures:
            job, outcome = failures[0]
            row = self.rows.row(cell, outcome.status, f"{job.label}: {outcome.reason}")
        else:
            row = self.rows.row(cell, "ok", "")
        self._finish(cell.id, {**row, **values}, wanted.fingerprint)

    def _finish(self, cell: str, row: dict[str, Any], fingerprint: str = "") -> None:
        self.run.rows[cell] = row
        self.run.out.append(row, fingerprint)
        if row["status"] != "ok":
            self.run.out.drop(cell)
        self._tell("mmbench_cell_finished", run=self.run, row=dict(row))
        self.run.observer.cell(self.run, row)

    def _keep_log(self, job: Job, text: str) -> None:
        if text:
            self.run.out.write_text(f"logs/{job.kind}-{job.key[:12]}.log", f"{job.label}\n\n{text}")

    # --- after ---------------------------------------------------------------------------------

    def _close_folder(self, earlier: dict[str, dict[str, Any]]) -> pd.DataFrame:
        from mmbench.report.current import write_where_changed
        from mmbench.report.gather import gather

        run = self.run
        records = run.out.journal()
        for cell in records.keys() | earlier.keys():
            if cell not in run.rows:
                run.out.drop(cell)
        run.out.compact([record for cell, record in records.items() if cell in run.rows])
        self._note_progress()
        table = run.table
        pool = Pool(run.folder, self.plan.plugins, metrics_of(table), headline_metric(table))
        stand(table, pool)
        write_table(table, run.folder)
        summary = summarise(table, pool=pool)
        write_where_changed(run.folder, ("md", "html"), lambda: gather([table], [summary]))
        self._tell("mmbench_run_finished", run=run, table=table.copy())
        return table

    def _tell(self, event: str, **what: Any) -> None:
        """Call an event hook; a plugin that fails there costs a line on stderr, no more."""
        hook = getattr(self.plan.catalogue.manager.hook, event)
        for implementation in hook.get_hookimpls():
            try:
                implementation.function(
                    **{name: what[name] for name in implementation.argnames if name in what}
                )
            except (Exception, SystemExit) as error:
                print(
                    f"plugin {implementation.plugin_name}: {event}: {one_line(error)}",
                    file=sys.stderr,
                )
