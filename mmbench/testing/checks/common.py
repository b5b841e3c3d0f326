"""What is asked of every plugin, whatever its sort: how it is registered, described and built."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from typing import Any

from pydantic import ValidationError

from mmbench.errors import UserError, one_line
from mmbench.options import canonical, signature, unwrapped
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.subject import Subject

suite = Suite()

IMPORT_SECONDS = 1.0
"""What importing a plugin's module may take, NumPy and mmbench aside; the best of three counts."""

FLAGS = {
    "kind": ("encoder",),
    "level": ("fusion",),
    "trained": ("encoder", "feature", "decision"),
    "supervised": ("encoder", "alignment", "feature"),
    "out_of_fold": ("feature",),
    "standardise": ("encoder",),
    "sparse": ("encoder", "alignment", "feature", "joint", "head"),
    "handles_missing": ("alignment", "feature", "decision", "joint", "head"),
    "sequences": ("encoder", "feature", "joint"),
    "finetune": ("encoder", "joint"),
}
"""The sorts (of fusions: the levels) for which a flag says something."""


@suite.check(
    "flags",
    why="The planner believes what is said at registration; a flag that means nothing for this "
    "sort of plugin shows that something else was meant.",
    mend="Leave the flag out, or register the plugin as the sort that it belongs to.",
)
def flags(subject: Subject) -> None:
    """Flags said at registration belong to the sort."""
    entry = subject.entry
    said = {
        "kind": bool(entry.kinds),
        "level": bool(entry.level),
        "trained": entry.trained,
        "supervised": entry.supervised,
        "out_of_fold": entry.out_of_fold,
        "standardise": not entry.standardise,
        "sparse": entry.sparse,
        "handles_missing": entry.handles_missing,
        "sequences": entry.sequences,
        "finetune": entry.finetune,
    }
    for flag, is_said in said.items():
        if is_said and not {entry.sort, entry.level} & set(FLAGS[flag]):
            raise BrokenContractError(
                f"registered with {flag}, which says nothing of a {_sort(subject)}"
            )
    fitted = entry.trained or entry.sort == "alignment"
    for flag in ("supervised", "out_of_fold"):
        if said[flag] and not fitted:
            raise BrokenContractError(
                f"registered {flag} but not trained: it would never be fitted"
            )
    if entry.finetune and entry.trained:
        raise BrokenContractError("registered finetune and trained: only frozen ones are tuned")


def _sort(subject: Subject) -> str:
    entry = subject.entry
    return f"{entry.level}-level fusion" if entry.sort == "fusion" else entry.sort


@suite.check(
    "summary",
    why="`mmbench list` shows it beside the name; without it nobody knows what the name is.",
    mend='Say summary="..." at registration: what it does, in one line of under 100 characters.',
)
def summary(subject: Subject) -> None:
    """A one-line summary is registered."""
    text = subject.entry.summary
    if not text.strip():
        raise BrokenContractError("it was registered without a summary")
    if "\n" in text or len(text) > 100:
        raise BrokenContractError(
            f"its summary is not one line of under 100 characters: {text[:60]!r}..."
        )


@suite.check(
    "light-import",
    why="Every command imports every plugin's module: one slow import delays them all, "
    "`mmbench list` included.",
    mend='Import heavy libraries where they are used, or register lazily: "module:Class".',
)
def light_import(subject: Subject) -> str:
    """The registering module is imported quickly, in a process of its own."""
    plugin = subject.entry.plugin
    module = plugin.module
    if module is None or not getattr(module, "__file__", None):
        raise NotApplicable("it was registered from a notebook")
    is_file = module.__name__.startswith("mmbench_file_")
    request = {"file": module.__file__ if is_file else "", "module": module.__name__}
    tries = []
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", _IMPORT],
            input=json.dumps({**request, "path": sys.path}),
            capture_output=True,
            text=True,
        )
        if done.returncode != 0:
            raise BrokenContractError(
                f"importing it in a process of its own fails: {_last(done.stderr)}"
            )
        tries.append(json.loads(done.stdout.splitlines()[-1]))
        if tries[-1]["seconds"] <= IMPORT_SECONDS:
            return f"{tries[-1]['seconds']:.2f} s"
    best = min(tries, key=lambda one: one["seconds"])
    libraries = ", ".join(best["libraries"]) or "no library"
    raise BrokenContractError(
        f"importing its module takes {best['seconds']:.1f} s (at most {IMPORT_SECONDS:.0f} s is "
        f"allowed; the best of three) and brings in {libraries}"
    )


_IMPORT = """
import importlib, importlib.util, json, sys, time
given = json.load(sys.stdin)
sys.path[:] = given["path"]
import numpy, mmbench.hookspecs
before = {name.partition(".")[0] for name in sys.modules}
start = time.perf_counter()
if given["file"]:
    spec = importlib.util.spec_from_file_location("plugin", given["file"])
    module = sys.modules["plugin"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
else:
    importlib.import_module(given["module"])
seconds = time.perf_counter() - start
after = {name.partition(".")[0] for name in sys.modules} - before - set(sys.stdlib_module_names)
libraries = sorted(n for n in after if n != "plugin" and not n.startswith("_"))[:8]
print()
print(json.dumps({"seconds": seconds, "libraries": libraries}))
"""


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]


@suite.check(
    "importable",
    why="What cannot be imported costs all its cells.",
    mend="See that module and attribute are spelt as registered, and that the distribution "
    "declares what it imports.",
)
def importable(subject: Subject) -> None:
    """The target that was registered can be imported and called."""
    if not callable(subject.target):
        raise BrokenContractError(f"{subject.entry.target!r} is no class or function")
    signature(subject.entry)


@suite.check(
    "typed",
    why="Options are validated by their annotation: without one, a mistyped value in a matrix "
    "file is found by a traceback in the middle of a run, or never.",
    mend="Annotate the parameter (int, float, bool, str, Literal[...], pathlib.Path, X | None) "
    "and give it a default of that type.",
    needs=("importable",),
)
def typed(subject: Subject) -> None:
    """Every option has a type, and a default of that type that can be written in a file."""
    for option in signature(subject.entry).options.values():
        if option.annotation is Any:
            raise BrokenContractError(
                f"the option {option.name!r} has no type, or one that is not found"
            )
        if option.required:
            continue
        try:
            option.validate(option.default)
        except ValidationError as error:
            told = error.errors()[0]["msg"]
            raise BrokenContractError(
                f"the default {option.default!r} of {option.name!r} is not of its type: {told}"
            ) from None
        if "<" in canonical(option.default):
            raise BrokenContractError(
                f"the default {option.default!r} of {option.name!r} is no plain value: it could "
                "not be written in a matrix file"
            )


@suite.check(
    "mutable-default",
    why="A default is made once and shared by all objects: what one changes, all others see, so "
    "that results depend on what ran before in the same process.",
    mend="Use a tuple, or None and make the list inside.",
    needs=("importable",),
)
def mutable_default(subject: Subject) -> None:
    """No option has a mutable default."""
    for option in signature(subject.entry).options.values():
        if isinstance(option.default, (list, dict, set, bytearray)):
            raise BrokenContractError(
                f"the default of {option.name!r} is a {type(option.default).__name__}"
            )


@suite.check(
    "documented",
    why="Options that are not described are guessed at.",
    mend="Name each option in the docstring, in a numpydoc section `Parameters`.",
    needs=("importable",),
)
def documented(subject: Subject) -> None:
    """Every option is named in the docstring."""
    target = unwrapped(subject.target)
    text = f"{inspect.getdoc(target) or ''}\n{_constructor_doc(target)}"
    for name in signature(subject.entry).options:
        if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text):
            raise BrokenContractError(f"the option {name!r} is not mentioned in the docstring")


def _constructor_doc(target: Any) -> str:
    own = vars(target).get("__init__") if inspect.isclass(target) else None
    return inspect.getdoc(own) or ""


def asks_for_gpu(error: Exception) -> bool:
    """Whether something failed for want of a GPU."""
    return bool(re.search(r"\bcuda\b|\bgpu\b|nvidia", str(error), re.IGNORECASE))


@suite.check(
    "builds",
    why="Workers build plugins from name and options, again and again.",
    mend="Let the constructor work with the options given here; where one is required, give it: "
    "`mmbench check NAME --set option=value`.",
    needs=("importable",),
)
def builds(subject: Subject) -> None:
    """It can be built, twice."""
    required = [o.name for o in signature(subject.entry).options.values() if o.required]
    wanting = [name for name in required if name not in subject.request.params]
    if wanting:
        raise BrokenContractError(f"the option {wanting[0]!r} is required and was not given")
    try:
        built = subject.build()
        again = subject.build()
    except UserError as error:
        raise BrokenContractError(str(error)) from None
    except Exception as error:
        if asks_for_gpu(error):
            return  # told by cpu-fallback
        raise BrokenContractError(f"building it raised {one_line(error)}") from error
    if built is again and subject.entry.sort != "metric":
        raise BrokenContractError(
            "building it twice gave one and the same object: state of one fold reaches the next"
        )
