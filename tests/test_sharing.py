"""Shared work is planned once and done once: counts of jobs, and of what plugins are asked."""

import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import mmbench

PLANTED = str(Path(__file__).parent / "planted.py")
MODALITIES = ("a", "b", "c")
INNER = 5

Block = Callable[..., dict]


def samples(n: int = 60) -> pd.DataFrame:
    """Three modalities of four values, the first the sample's number; folds and groups."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"label": np.arange(n) % 2, "turn": np.arange(n) // 2 % 3})
    for modality in MODALITIES:
        table[f"{modality}.0"] = np.arange(n)
        for i in (1, 2, 3):
            table[f"{modality}.{i}"] = table["label"] + 2 * rng.standard_normal(n)
    return table


def counts(block: dict, **matrix: object) -> Counter:
    """Return how many jobs of each kind are planned, and how many cells."""
    content = {"name": "sharing", "datasets": [block], "heads": "logistic-regression", **matrix}
    plan = mmbench.plan(content, plugins=[PLANTED])
    kinds = Counter(job.kind for job in plan.graph.jobs.values())
    assert sum(kinds.values()) == len(plan.graph.jobs)
    kinds["cells"] = len(plan.wanted)
    return kinds


def log_lines(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


# --- counts in closed form ---------------------------------------------------------------------


@given(
    n_encoders=st.lists(st.integers(1, 3), min_size=2, max_size=3),
    trained=st.booleans(),
    concat=st.booleans(),
    n_simple=st.integers(0, 2),
    n_stacking=st.integers(0, 2),
    n_heads=st.integers(1, 3),
    n_folds=st.integers(2, 4),
    n_seeds=st.integers(1, 3),
)
@settings(max_examples=25, deadline=None)
def check_closed_form(
    block: dict,
    n_encoders: list[int],
    trained: bool,
    concat: bool,
    n_simple: int,
    n_stacking: int,
    n_heads: int,
    n_folds: int,
    n_seeds: int,
) -> None:
    used = MODALITIES[: len(n_encoders)]
    make = {"use": "watched", "log": []} if trained else {"use": "counted", "power": []}
    option = "log" if trained else "power"
    fusions = ["concat"] * concat + ["mean-probability", "vote"][:n_simple]
    fusions += [{"use": "stacking", "C": [0.1, 1.0][:n_stacking]}] * (n_stacking > 0)
    encoders = {
        m: {**make, option: [f"{i}.log" if trained else i + 1 for i in range(n)]}
        for m, n in zip(used, n_encoders, strict=True)
    }
    kinds = counts(
        block,
        encoders=encoders,
        fusions=fusions,
        heads={"use": "logistic-regression", "C": [0.1, 1.0, 10.0][:n_heads]},
        split={"scheme": "kfold", "folds": n_folds},
        seeds=list(range(n_seeds)),
    )
    single, pairs = sum(n_encoders), math.prod(n_encoders)
    any_fusion = bool(fusions)
    parts = n_folds * n_seeds
    decision = n_simple + n_stacking
    rows = parts * n_heads * (single + pairs * (concat + decision))
    expected = {
        "cells": rows,
        "score": rows,
        "embed": parts * single * (1 + INNER * (n_stacking > 0)) if trained else single,
        "fit": parts * n_heads * (single + pairs * concat),
        "cross_fit": parts * n_heads * single * (n_stacking > 0),
        "decide": parts * n_heads * pairs * decision,
    }
    assert any_fusion or not decision
    assert kinds == Counter({kind: n for kind, n in expected.items() if n})


def test_counts_in_closed_form(manifest: Block) -> None:
    """Embeddings are a sum over encoders, never a product with what comes after them."""
    check_closed_form(manifest(samples()))


def test_counts_over_all_subsets(manifest: Block) -> None:
    """Subsets of modalities share their embeddings, fits and out-of-fold probabilities."""
    kinds = counts(
        manifest(samples(), fold="turn"),
        encoders={"vector": ["identity", {"use": "counted", "power": 3}]},
        fusions=["concat", "mean-probability", "stacking"],
        subsets="all",
    )
    single, fused = 3 * 2, 3 * 2**2 + 2**3
    assert kinds == {
        "cells": 3 * (single + 3 * fused),
        "score": 3 * (single + 3 * fused),
        "embed": single,
        "fit": 3 * (single + fused),
        "cross_fit": 3 * single,
        "decide": 3 * 2 * fused,
    }


def test_seeds_share_what_asks_for_none(manifest: Block) -> None:
    """Over given folds, three seeds triple only what is seeded; the rest is planned out."""
    block = manifest(samples(), fold="turn")
    forest = {"use": "random-forest", "n_estimators": 3}
    common = {"encoders": {"a": "watched", "b": "identity"}, "fusions": ["concat", "stacking"]}
    plain, seeds = {**common, "seeds": [0]}, {**common, "seeds": [0, 1, 2]}

    assert counts(block, **seeds) == counts(block, **plain)
    one, three = counts(block, heads=forest, **plain), counts(block, heads=forest, **seeds)
    assert three == {kind: n * (1 if kind == "embed" else 3) for kind, n in one.items()}

    both = counts(block, heads=["logistic-regression", forest], **seeds)
    plain_head = counts(block, **plain)
    assert both == three + plain_head - Counter(embed=one["embed"])

    drawn = {"use": "projected", "d": 2}
    kinds = counts(block, **{**seeds, "encoders": {"a": drawn, "b": "identity"}})
    assert kinds["embed"] == 3 + 1
    assert kinds["fit"] == 3 * (3 + 1 + 3)  # folds × (a by seed, b once, concat by seed)
    assert kinds["cross_fit"] == 3 * (3 + 1)

    again = {"scheme": "kfold", "folds": 3}
    kinds = counts(block, split=again, **{**seeds, "encoders": {"vector": "identity"}})
    assert kinds["embed"] == 3
    assert kinds["cells"] == 3 * 3 * (3 + 2)  # splits depend on the seed


def test_trained_steps_are_shared(manifest: Block) -> None:
    """An alignment or trained fusion is fitted once per training part, whatever the head."""
    block = manifest(samples(), fold="turn")
    heads = {"use": "logistic-regression", "C": [0.1, 1.0]}
    kinds = counts(
        block,
        encoders={"a": "discriminant", "b": "identity"},
        alignments=["none", "principal", "discriminating"],
        fusions=["concat", "f-weighted", "joint-logistic", "stacking"],
        heads=heads,
    )
    assert kinds["embed"] == 3 * (1 + INNER) + 1
    assert kinds["align"] == 3 * 2
    assert kinds["fuse"] == 3 * 3
    assert kinds["cross_fit"] == 3 * 2 * 2
    assert kinds["fit"] == 3 * (2 * 2 + 2 * 3 * 2 + 3)  # single, two feature-level fusions, joint

    svm = counts(
        block,
        encoders={"a": "discriminant", "b": "identity"},
        fusions=["concat", "mean-probability", "stacking"],
        heads={"use": "svm", "C": [1.0, 10.0]},
    )
    assert svm["embed"] == 3 * (1 + INNER) + 1
    assert svm["distances"] == 3 * 2  # of a and of b, for all that is fitted to them
    assert svm["cross_fit"] == 3 * 2 * 3  # a and a+b for their calibration too, b for stacking


def test_a_validation_part_spares_the_inner_folds(manifest: Block) -> None:
    """A calibrated head over a supervised encoder needs them where nothing else is held out."""
    frame = samples()
    frame["part"] = np.repeat(["train", "validation", "test"], [30, 15, 15])
    chain = {"encoders": {"a": "discriminant"}, "heads": "svm"}
    given = counts(manifest(frame, "given", split="part"), **chain)
    assert given == {"embed": 1, "distances": 1, "fit": 1, "score": 1, "cells": 1}
    frame["part"] = np.repeat(["train", "test"], [45, 15])
    without = counts(manifest(frame, "without", split="part"), **chain)
    inner = {"embed": 1 + INNER, "cross_fit": 1}
    assert without == {**inner, "distances": 1, "fit": 1, "score": 1, "cells": 1}


def test_what_a_job_does_not_depend_on(manifest: Block) -> None:
    """Embeddings stay for another name, place, label, split; not for another content or option."""
    frame = samples()

    def embeds(frame: pd.DataFrame, file: str, encoder: object = "identity", **options: str) -> set:
        block = {**manifest(frame, file, **options), "name": file}
        content = {
            "name": file,
            "datasets": [block],
            "encoders": {"a": encoder},
            "heads": "logistic-regression",
        }
        graph = mmbench.plan(content, plugins=[PLANTED]).graph
        return {key for key, job in graph.jobs.items() if job.kind == "embed"}

    first = embeds(frame, "first")
    assert len(first) == 1
    assert embeds(frame, "elsewhere", fold="turn") == first
    assert embeds(frame.assign(label=frame["label"] * 2 + 1), "relabelled") == first
    assert embeds(frame, "unscaled", {"use": "identity", "standardise": False}) == first

    other = frame.copy()
    other.loc[7, "a.2"] += 1
    assert not embeds(other, "content") & first
    power = embeds(frame, "counted", {"use": "counted", "power": 2})
    assert not embeds(frame, "option", {"use": "counted", "power": 3}) & power
    assert embeds(frame, "default", "counted") == embeds(
        frame, "spelt", {"use": "counted", "power": 1}
    )


# --- what is really done -----------------------------------------------------------------------


def test_work_is_done_once(manifest: Block) -> None:
    """One encoding per item, one fit per job, over two processes and a second matrix."""
    frame = samples()
    block = manifest(frame, fold="turn")
    encoded, fitted = Path("encoded.jsonl").absolute(), Path("fitted.jsonl").absolute()
    matrix = {
        "name": "first",
        "datasets": [block],
        "encoders": {
            "a": {"use": "counted", "power": [1, 3], "log": str(encoded)},
            "b": {"use": "counted", "log": str(encoded)},
        },
        "fusions": ["concat", "mean-probability", {"use": "stacking", "C": [0.1, 1.0]}],
        "heads": {"use": "counted-logistic", "C": [0.5, 2.0], "log": str(fitted)},
    }
    table = mmbench.run(matrix, out="first", store="store", jobs=2, plugins=[PLANTED])
    assert (table["status"] == "ok").all()
    assert len(table) == 3 * 2 * (3 + 2 * 4)

    items = Counter((line["power"], i) for line in log_lines(encoded) for i in line["items"])
    assert items == {(power, i): n for power, n in ((1, 2), (3, 1)) for i in range(len(frame))}
    single, pairs = 3 * 2 * 3, 3 * 2 * 2
    assert len(log_lines(fitted)) == single + pairs + INNER * single

    second = {**matrix, "name": "second", "fusions": ["concat", "stacking"], "seeds": [3]}
    second["heads"] = {**matrix["heads"], "C": [2.0, 7.0]}
    before = encoded.read_text()
    table = mmbench.run(second, out="second", store="store", jobs=2, plugins=[PLANTED])
    assert (table["status"] == "ok").all()
    assert encoded.read_text() == before
    new = log_lines(fitted)[single + pairs + INNER * single :]
    assert {line["C"] for line in new} == {7.0}
    assert len(new) == (single + pairs + INNER * single) // 2


def test_plan_counts_what_is_stored(
    manifest: Block, mmbench_here: Callable, tmp_path: Path
) -> None:
    """A head more adds its own jobs and no other."""
    import tomli_w

    matrix = {
        "name": "first",
        "datasets": [manifest(samples(), fold="turn")],
        "encoders": {"vector": ["identity", {"use": "identity", "standardise": False}]},
        "fusions": ["concat", "mean-probability", "stacking"],
        "heads": ["logistic-regression"],
        "subsets": [["a", "b"]],
    }

    def plan(**changed: object) -> dict:
        (tmp_path / "matrix.toml").write_text(tomli_w.dumps({**matrix, **changed}))
        process = mmbench_here("plan", "matrix.toml", "--json")
        assert process.returncode == 0, process.stderr
        return json.loads(process.stdout)["jobs"]

    single, pairs = 3 * 4, 3 * 4
    by_kind = {
        "embed": 2,
        "fit": single + pairs,
        "cross_fit": single,
        "decide": 2 * pairs,
        "score": single + 3 * pairs,
    }
    total = sum(by_kind.values())
    assert plan() == {"total": total, "stored": 0, "by_kind": by_kind}
    assert mmbench_here("run", "matrix.toml", "--quiet").returncode == 0
    assert plan() == {"total": total, "stored": total, "by_kind": by_kind}

    more = {kind: n if kind == "embed" else 2 * n for kind, n in by_kind.items()}
    heads = ["logistic-regression", {"use": "logistic-regression", "C": 3.0}]
    assert plan(name="second", heads=heads) == {
        "total": sum(more.values()),
        "stored": total,
        "by_kind": more,
    }


# --- code that plugins share -------------------------------------------------------------------

IDENTITY = """
from mmbench.catalogue import load_catalogue
print(load_catalogue().entries["head"]["probe"].plugin.identity)
"""


def install(folder: Path, name: str, metadata: str = "", entry_points: str = "") -> Path:
    """Install a distribution in place, as pip does, and return its package's folder."""
    module = name.replace("-", "_")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}")
    (info / "direct_url.json").write_text('{"dir_info": {"editable": true}, "url": "file:///"}')
    (info / "entry_points.txt").write_text(entry_points)
    package = folder / module
    package.mkdir()
    (package / "__init__.py").write_text("")
    return package


def test_a_changed_library_in_place_is_another_identity(tmp_path: Path) -> None:
    """Its version is the same; what was stored with the code of before is not used."""
    plugin = install(
        tmp_path, "mmbench-probe", "Requires-Dist: shared-code\n",
        "[mmbench]\nprobe = mmbench_probe\n",
    )  # fmt: skip
    (plugin / "__init__.py").write_text(
        "from mmbench import hookimpl\n@hookimpl\ndef mmbench_register_heads(register):\n"
        '    register("probe", "mmbench_probe:Probe")\n'
    )
    shared = install(tmp_path, "shared-code", "Requires-Dist: deeper-code\n")
    deeper = install(tmp_path, "deeper-code")

    def identity() -> str:
        env = {**os.environ, "PYTHONPATH": str(tmp_path), "MMBENCH_PLUGINS": "probe"}
        command = [sys.executable, "-B", "-c", IDENTITY]
        return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout

    first = identity()
    assert identity() == first
    (shared / "loop.py").write_text("epochs = 1")
    second = identity()
    (deeper / "loop.py").write_text("epochs = 2")
    assert len({first, second, identity()}) == 3
