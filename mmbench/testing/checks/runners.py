"""What is asked of runners: that every job is done, and that none costs another."""

from __future__ import annotations

import numbers

import psutil

from mmbench.jobs import Job
from mmbench.testing.kit import BrokenContractError, Suite
from mmbench.testing.planted import MESSAGE, How, begun
from mmbench.testing.subject import has_method
from mmbench.testing.trial import (
    LIMIT,
    PATIENCE,
    Result,
    RunnerSubject,
    Session,
    survivors,
    within,
)

suite = Suite()

_DOES: dict[How, str] = {
    "raises": "raises",
    "exits": "calls os._exit(3)",
    "exits-well": "calls os._exit(0)",
    "killed": "is killed",
    "hangs": "hangs",
    "waits": "has nothing to do with it",
}
CRASHES: tuple[How, ...] = ("exits", "exits-well", "killed")


@suite.check(
    "members",
    why="The harness keeps as many jobs submitted as `slots` says, and calls these methods.",
    mend="Set `slots` to a positive int; write `submit`, `wait`, `activity` and `close`.",
    needs=("builds",),
)
def members(subject: RunnerSubject) -> str:
    """It has all that a runner has."""
    with Session(subject) as session:
        for name in ("submit", "wait", "activity", "close"):
            if not has_method(session.runner, name):
                raise BrokenContractError(f"it has no method {name!r}")
        slots = getattr(session.runner, "slots", None)
        if not isinstance(slots, numbers.Integral) or isinstance(slots, bool) or slots < 1:
            raise BrokenContractError(f"slots is {slots!r}; a positive int was expected")
    return f"{slots} slots"


@suite.check(
    "wait-timeout",
    why="Twice a second the harness shows what is under way; a `wait` that does not return leaves "
    "a run that looks dead and hears no Ctrl-C.",
    mend="Return an empty list when `timeout` seconds are over and nothing has ended.",
    needs=("members",),
)
def wait_timeout(subject: RunnerSubject) -> None:
    """``wait`` returns in time, with what has ended and nothing else."""
    subject.shut_gate()
    jobs = subject.jobs("waits")
    with Session(subject) as session:
        session.submit(jobs[0])
        _begin(subject, session, jobs)
        session.wait(0.5)
        if session.ended:
            raise BrokenContractError("wait told of the end of a job that was still under way")
        subject.open_gate()
        if not session.news(PATIENCE):
            raise BrokenContractError(f"in {PATIENCE:.0f} s wait did not tell of a job that ended")


def _begin(subject: RunnerSubject, session: Session, jobs: list[Job]) -> None:
    """Wait until these jobs have been taken up."""
    known = len(session.ended)
    session.until(
        lambda: len(subject.processes(jobs)) >= len(jobs) or len(session.ended) > known, LIMIT
    )
    if len(session.ended) > known:
        told = session.ended[known][1]
        raise BrokenContractError(
            f"a job that waits has ended as {told.status} ({told.reason or 'no reason'})"
        )
    if not subject.processes(jobs):
        raise BrokenContractError(f"a job that it was given had not begun after {LIMIT:.0f} s")


@suite.check(
    "outcomes",
    why="A job of which no end is told is waited for, for ever; one that is told twice is counted "
    "twice.",
    mend="Let `wait` return each submitted job once, with its outcome.",
    needs=("wait-timeout",),
)
def outcomes(subject: RunnerSubject) -> str:
    """Of every job the end is told, once."""
    jobs, ended = subject.handled.jobs, subject.handled.ended
    given = {job.key for job in jobs}
    told = [job.key for job, _ in ended]
    if strange := [job for job, _ in ended if job.key not in given]:
        raise BrokenContractError(f"it told of {strange[0]!r}, which it had not been given")
    if twice := [key for key in given if told.count(key) > 1]:
        raise BrokenContractError(f"it told {told.count(twice[0])} times that a job had ended")
    if len(told) < len(jobs):
        raise BrokenContractError(
            f"of {len(jobs)} jobs it told of {len(told)}, and for {PATIENCE:.0f} s of no more"
        )
    return f"{len(jobs)} jobs"


@suite.check(
    "performed",
    why="What is said to be done is read from the store.",
    mend="Return what `mmbench.jobs.perform` returned, from a workshop that `context.open()` made "
    "where the job is done.",
    needs=("outcomes",),
)
def performed(subject: RunnerSubject) -> None:
    """What it says is done is in the store, and what is in the store is said to be done."""
    for job, outcome in subject.handled.ended:
        if outcome.status == "ok" and job.key not in subject.store:
            raise BrokenContractError("a job is said to be ok, but its result is not in the store")
        if outcome.status != "ok" and job.key in subject.store:
            raise BrokenContractError(
                f"a job is said to be {outcome.status} ({outcome.reason}), but its result is in "
                "the store"
            )


@suite.check(
    "own-process",
    why="A plugin may exit, hang, or crash in a library in C; in the harness's own process that "
    "is the end of the run.",
    mend="Perform jobs in processes of their own.",
    needs=("performed",),
)
def own_process(subject: RunnerSubject) -> None:
    """Jobs are performed in other processes than the harness's."""
    this = psutil.Process()
    for record in subject.processes(subject.handled.jobs):
        if (record["pid"], record["created"]) == (this.pid, this.create_time()):
            raise BrokenContractError("it performs jobs in the process that it was built in")


@suite.check(
    "slots",
    why="`slots` jobs are kept submitted, and a run is planned for as many at once.",
    mend="Work on `slots` jobs at the same time, or say how many it really is.",
    needs=("performed",),
)
def slots(subject: RunnerSubject) -> str:
    """It works on as many jobs at once as it says."""
    subject.shut_gate()
    with Session(subject) as session:
        ways: list[How] = ["waits"] * session.slots
        jobs = subject.jobs(*ways)
        for job in jobs:
            session.submit(job)
        session.until(lambda: bool(subject.processes(jobs)), LIMIT)
        if not session.until(lambda: len(subject.processes(jobs)) == len(jobs), PATIENCE):
            raise BrokenContractError(
                f"it says {session.runner.slots} slots, but of {len(jobs)} jobs only "
                f"{len(subject.processes(jobs))} were at work at once"
            )
        subject.open_gate()
        if not session.until(lambda: not session.running, PATIENCE):
            raise BrokenContractError("of several jobs at once, not all ends were told")
    return f"{len(jobs)} at once"


@suite.check(
    "activity",
    why="It is what the live view shows: without it nobody knows what a run is waiting for.",
    mend="Return (job, share) for every job submitted and not ended; share is None where no "
    "progress is known, else in [0, 1].",
    needs=("performed",),
)
def activity(subject: RunnerSubject) -> str:
    """``activity`` returns the jobs under way, and no others."""
    subject.shut_gate()
    jobs = subject.jobs("waits")
    with Session(subject) as session:
        session.submit(jobs[0])
        _begin(subject, session, jobs)
        session.wait(1.0)
        with within(PATIENCE, "activity"):
            shown = list(session.runner.activity())
        if [job.key for job, _ in shown] != [jobs[0].key]:
            raise BrokenContractError(
                f"while one job was under way, activity returned {len(shown)} jobs"
            )
        share = shown[0][1]
        if share is not None and not (isinstance(share, numbers.Real) and 0 <= share <= 1):
            raise BrokenContractError(f"activity told {share!r} for the share that is done")
        subject.open_gate()
        session.news(PATIENCE)
        if left := list(session.runner.activity()):
            raise BrokenContractError(
                f"when no job was under way, activity returned {len(left)} jobs"
            )
    return "tells no progress" if share is None else "tells progress"


@suite.check(
    "close",
    why="What goes on after a run has ended or was interrupted takes cores, memory and the GPU "
    "from all that follows.",
    mend="In `close`, end the processes at work, and wait until they are gone.",
    needs=("own-process",),
)
def close(subject: RunnerSubject) -> None:
    """``close`` ends all processes, those at work included."""
    _closed(subject, midway=False)
    before = {process.pid for process in psutil.Process().children(recursive=True)}
    _closed(subject, midway=True)
    after = psutil.Process().children(recursive=True)
    if more := [process for process in after if process.pid not in before]:
        with more[0].oneshot():
            name = more[0].name()
        raise BrokenContractError(
            f"of a runner closed in the middle of a job {len(more)} processes are left ({name})"
        )


def _closed(subject: RunnerSubject, *, midway: bool) -> None:
    """Close a runner, and see that the processes that worked on its jobs are gone."""
    subject.shut_gate()
    done, waiting = subject.jobs("works", "waits")
    with Session(subject) as session:
        session.submit(done)
        session.news(PATIENCE)
        if midway:
            session.submit(waiting)
            _begin(subject, session, [waiting])
    if left := survivors(subject.processes([done, waiting])):
        when = "in the middle of a job" if midway else "with no job under way"
        raise BrokenContractError(f"closed {when}, it left {len(left)} processes that had jobs")
    if waiting.key in subject.store:
        raise BrokenContractError("it was closed in the middle of a job, and yet stored its result")


@suite.check(
    "same-table",
    why="The same file gives the same table, whoever executes it.",
    mend="Hand jobs over as they are, perform them with `mmbench.jobs.perform`, and give each "
    "process its own workshop from the context.",
    needs=("performed",),
)
def same_table(subject: RunnerSubject) -> str:
    """It gives the table that the local runner gives in one process, byte for byte."""
    expected, found = subject.reference, subject.result
    if list(expected.table.index) != list(found.table.index):
        raise BrokenContractError(
            f"the table has {len(found.table)} cells where {len(expected.table)} were expected"
        )
    if where := expected.differs(found):
        raise BrokenContractError(f"the table is not that of the local runner: {where}")
    return f"{len(found.table)} cells"


@suite.check(
    "resume",
    why="A run that is started again takes over what is done.",
    mend="Leave the store to `mmbench.jobs.perform`; keep no results elsewhere.",
    needs=("same-table",),
)
def resume(subject: RunnerSubject) -> None:
    """Run again, nothing is done anew."""
    expected = subject.result
    before = len(begun(subject.folder))
    again = subject.ran("resumed", store="result")
    if anew := len(begun(subject.folder)) - before:
        raise BrokenContractError(f"{anew} embeddings that were stored were made again")
    if where := expected.differs(again):
        raise BrokenContractError(f"run again, the table is another: {where}")


def _others(subject: RunnerSubject, result: Result) -> None:
    """See that the cells without fault are as they are without the faulty ones."""
    good = Result(result.going("works"), result.predictions)
    if not len(good.table):
        raise BrokenContractError("the cells that are without fault are not in the table")
    for told in good.table[good.table["status"] != "ok"].itertuples():
        raise BrokenContractError(f"it cost another cell: {told.status} ({told.reason})")
    if where := good.differs(subject.reference):
        raise BrokenContractError(f"it changed another cell: {where}")


def _expect(result: Result, how: How, status: str, reason: str = "") -> None:
    """See that the cells whose job goes so have that status, and a reason that says so."""
    rows = result.going(how)
    if not len(rows):
        raise BrokenContractError(f"the cells of a job that {_DOES[how]} are not in the table")
    for row in rows.itertuples():
        if row.status != status:
            raise BrokenContractError(
                f"cells of a job that {_DOES[how]} are {row.status} ({row.reason or 'no reason'}); "
                f"{status} was expected"
            )
        told = row.reason.partition(": ")[2]  # behind the job's label
        if status != "ok" and (not told or reason not in told):
            raise BrokenContractError(f"the reason says {row.reason!r}, and not why")


@suite.check(
    "failure",
    why="A plugin that raises costs its own cells, with a reason that its author can use.",
    mend="Return the outcome of `mmbench.jobs.perform` as it is.",
    needs=("same-table",),
)
def failure(subject: RunnerSubject) -> None:
    """A job that raises is failed cells with what it raised; all others are done."""
    result = subject.ran("failure", "raises")
    _expect(result, "raises", "failed", MESSAGE)
    _others(subject, result)


@suite.check(
    "crash",
    why="Libraries in C take their process down; without this the whole run is lost with it, or "
    "waits for ever.",
    mend="Perform jobs in processes of their own; where one ends without an outcome, return "
    "`mmbench.jobs.death(exitcode)` for its job alone, also for exit status 0.",
    needs=("same-table", "own-process"),
)
def crash(subject: RunnerSubject) -> None:
    """A job whose process dies is crashed cells; all others are done."""
    subject.shut_gate()
    result = subject.ran("crash", "waits", *CRASHES)
    for how in CRASHES:
        _expect(result, how, "crashed")
    _expect(result, "waits", "ok")
    _others(subject, result)


@suite.check(
    "timeout",
    why="One job that hangs would hold up the run for ever.",
    mend="Kill a job's process when `timeout` seconds are over (SIGKILL: a job may catch all "
    'else), and return `Outcome("timeout", ...)` for it.',
    needs=("same-table", "own-process"),
)
def timeout(subject: RunnerSubject) -> str:
    """A job that hangs is stopped, and is timeout cells; all others are done."""
    seconds = max(3.0, round(3 * subject.handled.seconds))
    result = subject.ran("timeout", "hangs", timeout=seconds)
    _expect(result, "hangs", "timeout")
    _others(subject, result)
    hanging = [record for record in begun(subject.folder) if record["how"] == "hangs"]
    if survivors(hanging):
        raise BrokenContractError("the process of the job that took too long is still there")
    return f"given {seconds:.0f} s a job"
