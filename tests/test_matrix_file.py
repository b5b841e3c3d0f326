"""What a matrix file means: its cells, by axes, subsets, exclusions, seeds and splits."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import mmbench

OPTIONS = str(Path(__file__).parent / "zoo_options.py")
N = 40
KINDS = {"petal": "vector", "sepal": "vector", "note": "text"}
MODALITIES = {
    "petal": {"columns": "petal*", "kind": "vector"},
    "sepal": {"columns": "sepal*", "kind": "vector"},
    "note": {"column": "note", "kind": "text"},
}


@pytest.fixture(scope="module")
def flowers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 samples of classes of 20, 12 and 8, in 10 groups of 4; a split and folds of their own."""
    path = tmp_path_factory.mktemp("flowers") / "manifest.csv"
    lines = ["id,petal1,petal2,sepal1,sepal2,note,class,turn,part,plant"]
    for i in range(N):
        label = "a" if i < 20 else "b" if i < 32 else "c"
        part = ("train", "train", "validation", "test")[i % 4]
        note = "" if i == 5 else f"note {i % 3}"
        lines.append(
            f"s{i},{i % 7},{i % 5},{i % 3},{i % 11},{note},{label},{i % 4},{part},p{i % 10}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def plan(flowers: Path) -> Callable[..., Any]:
    """Plan a matrix over that manifest: two vectors, of a kind, and a text."""

    def call(*, dataset: dict | None = None, limit: int | None = None, **keys: Any) -> Any:
        return mmbench.plan(matrix(flowers, dataset, **keys), plugins=[OPTIONS], limit=limit)

    return call


def matrix(flowers: Path, dataset: dict | None = None, **keys: Any) -> dict[str, Any]:
    block = {"use": "manifest", "path": str(flowers), "label": "class", "id": "id"}
    block["modalities"] = {m: MODALITIES[m] for m in ("petal", "sepal")}
    return {
        "name": "flowers",
        "datasets": [{**block, **(dataset or {})}],
        "encoders": {"vector": "identity"},
        "fusions": ["concat"],
        "heads": ["logistic-regression"],
        "split": {"folds": 2},
        **keys,
    }


ALL = {"modalities": MODALITIES}
THREE = {"dataset": ALL, "encoders": {"vector": "identity", "text": "length"}}


def coordinates(plan: Any, *axes: str, skipped: bool = False) -> list[tuple]:
    """The distinct values of some axes of the cells, in order."""
    listed = [cell.axes for cell in plan.cells if bool(cell.skipped) == skipped]
    return list(dict.fromkeys(tuple(axis[a] for a in axes) for axis in listed))


def ids(plan: Any) -> list[str]:
    return [cell.id for cell in plan.cells]


def params(plan: Any) -> list[dict]:
    return [json.loads(text) for (text,) in coordinates(plan, "params")]


# --- axes ------------------------------------------------------------------------------------


def test_a_list_is_an_axis_and_axes_are_crossed(plan):
    head = {"use": "svm", "C": [0.1, 1, 10], "kernel": ["linear", "rbf"], "degree": 2}
    cells = plan(heads=[head, "logistic-regression"], fusions=[])
    expected = [
        {"head": {"C": C, "degree": 2, "kernel": kernel}}
        for C in (0.1, 1.0, 10.0)
        for kernel in ("linear", "rbf")
    ]
    assert params(cells) == [*expected, {}]
    assert len(cells.cells) == 2 * 2 * (6 + 1)  # modalities × folds × heads


def test_a_value_that_is_a_list_stands_in_two_brackets(plan):
    encoder = {"use": "scaled", "powers": [[1], [1, 2]], "factor": 2}
    fusion = {"use": "weighed", "weights": [[0.7, 0.3], [0.5, 0.5]]}
    found = params(plan(encoders={"petal": encoder, "sepal": "identity"}, fusions=[fusion]))
    fused = [each for each in found if "fusion" in each]
    assert [each["fusion"]["weights"] for each in fused] == 2 * [[0.7, 0.3], [0.5, 0.5]]
    assert [each["encoder.petal"]["powers"] for each in fused] == [[1], [1], [1, 2], [1, 2]]
    with pytest.raises(Exception, match=r"fusions\[0\] \(weighed\): weights = 0.7: Input should"):
        plan(fusions=[{"use": "weighed", "weights": [0.7, 0.3]}])


def test_list_values_reach_the_plugin(flowers, tmp_path):
    """Weighing a modality by 0 equals having its columns constant: it decides nothing."""
    fusions = [{"use": "weighed", "weights": [[1.0, 0.0], [0.0, 1.0]]}]
    table = mmbench.run(
        matrix(flowers, fusions=fusions), plugins=[OPTIONS], jobs=1, out=tmp_path / "out"
    )
    assert set(table["status"]) == {"ok"}
    fused = table[table["fusion"] == "weighed"].set_index(["params", "fold"])["log_loss"]
    alone = table[table["fusion"] == "none"].set_index(["modalities", "fold"])["log_loss"]
    for weights, modality in (("[1.0, 0.0]", "petal"), ("[0.0, 1.0]", "sepal")):
        text = f'{{"fusion": {{"weights": {weights}}}}}'
        np.testing.assert_allclose(fused[text], alone[modality], rtol=1e-6)


LOOKUP = """
from pathlib import Path

from mmbench import hookimpl


class Lookup:
    def __init__(self, file: Path):
        self.file = file


@hookimpl
def mmbench_register_encoders(register):
    register("lookup", Lookup, kind="vector")
"""


def test_a_path_is_told_as_it_was_written(flowers, tmp_path):
    """Where the matrix lies is no part of the table; the plugin is given the file itself."""
    plugin = tmp_path / "lookup.py"
    plugin.write_text(LOOKUP)
    encoders = {"vector": {"use": "lookup", "file": "tables/words.txt"}}
    content = tomli_w.dumps(matrix(flowers, encoders=encoders))
    told = set()
    for name in ("here", "there"):
        file = tmp_path / name / "tables" / "words.txt"
        file.parent.mkdir(parents=True)
        file.write_text("a")
        (tmp_path / name / "matrix.toml").write_text(content)
        cells = mmbench.plan(tmp_path / name / "matrix.toml", plugins=[str(plugin)]).cells
        assert json.loads(cells[0].params) == {"encoder.petal": {"file": "tables/words.txt"}}
        assert cells[0].encoders[0].params["file"] == file
        told.add(tuple((cell.id, cell.params) for cell in cells))
    assert len(told) == 1


def test_an_encoder_by_modality_beats_one_by_kind(plan):
    encoders = {"vector": ["identity", "scaled"], "petal": {"use": "scaled", "factor": 3}}
    found = coordinates(plan(encoders=encoders), "modalities", "encoders", "params")
    three = '{"encoder.petal": {"factor": 3.0}}'
    assert found == [
        ("petal", "scaled", three),
        ("sepal", "identity", "{}"),
        ("sepal", "scaled", "{}"),
        ("petal+sepal", "scaled+identity", three),
        ("petal+sepal", "scaled+scaled", three),
    ]


def test_levels_heads_and_alignments(plan):
    """A joint fusion has no head; alignments stand before feature-level and joint fusions only."""
    cells = plan(
        fusions=["concat", "vote", "frequency"],
        heads=["svm", "logistic-regression"],
        alignments=["none", "shifted"],
    )
    found = coordinates(cells, "level", "alignment", "fusion", "head")
    heads = ("svm", "logistic-regression")
    assert Counter(found) == Counter(
        [("none", "none", "none", head) for head in heads]
        + [("feature", a, "concat", head) for a in ("none", "shifted") for head in heads]
        + [("decision", "none", "vote", head) for head in heads]
        + [("joint", a, "frequency", "") for a in ("none", "shifted")]
    )


def test_missing_policies_are_an_axis_where_something_is_missing(plan):
    found = coordinates(plan(**THREE, missing=["mean", "zero"]), "modalities", "missing")
    assert found == [
        ("petal", ""), ("sepal", ""), ("note", "mean"), ("note", "zero"),
        ("petal+sepal+note", "mean"), ("petal+sepal+note", "zero"),
    ]  # fmt: skip


# --- subsets ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subsets", "alone", "fused"),
    [
        (None, ["petal", "sepal", "note"], ["petal+sepal+note"]),
        ("all", ["petal", "sepal", "note"],
         ["petal+sepal", "petal+note", "sepal+note", "petal+sepal+note"]),
        ([["note", "petal"]], ["petal", "note"], ["petal+note"]),
        ([["sepal"], ["note", "petal"], ["petal", "note"]], ["petal", "sepal", "note"],
         ["petal+note"]),
        ([["sepal"]], ["sepal"], []),
    ],
    ids=["default", "all", "listed", "one and two", "one"],
)  # fmt: skip
def test_subsets_and_their_baselines(plan, subsets, alone, fused):
    cells = plan(**THREE, **({} if subsets is None else {"subsets": subsets}))
    found = coordinates(cells, "modalities", "fusion")
    assert found == [(m, "none") for m in alone] + [(m, "concat") for m in fused]
    assert len(cells.cells) == 2 * len(found)


@pytest.mark.parametrize("subsets", [None, "all", [["petal"]]])
def test_one_modality_has_its_fusions_skipped(plan, subsets):
    dataset = {"modalities": {"petal": MODALITIES["petal"]}}
    keys = {} if subsets is None else {"subsets": subsets}
    cells = plan(dataset=dataset, fusions=["concat", "vote"], **keys)
    assert coordinates(cells, "modalities", "fusion") == [("petal", "none")]
    skipped = coordinates(cells, "modalities", "fusion", skipped=True)
    assert skipped == [("petal", "concat"), ("petal", "vote")]
    assert {c.skipped for c in cells.cells} == {
        "", "the dataset has one modality: nothing to fuse"
    }  # fmt: skip


def test_skipped_cells_are_rows_with_their_reason(flowers, tmp_path):
    dataset = {"modalities": {"petal": MODALITIES["petal"]}}
    table = mmbench.run(matrix(flowers, dataset), jobs=1, out=tmp_path / "out")
    rows = table[["fusion", "status", "reason"]].drop_duplicates().values.tolist()
    assert rows == [
        ["none", "ok", ""],
        ["concat", "skipped", "the dataset has one modality: nothing to fuse"],
    ]


@pytest.mark.parametrize("subsets", [None, "all"])
def test_an_unused_modality_is_noted(plan, subsets):
    keys = {} if subsets is None else {"subsets": subsets}
    cells = plan(dataset={**ALL, "name": "garden"}, **keys)
    assert cells.notes == ["garden: note unused: no encoder"]
    assert {m for (m,) in coordinates(cells, "modalities")} == {"petal", "sepal", "petal+sepal"}
    with pytest.raises(Exception, match=r"subsets\[0\]: 'note' has no encoder"):
        plan(dataset=ALL, subsets=[["petal", "note"]])


def test_two_datasets_of_other_modalities(flowers):
    both = matrix(flowers, {"name": "one"}, subsets=[["petal", "sepal"], ["petal", "note"]])
    two = {m: MODALITIES[m] for m in ("note", "petal")}
    both["datasets"].append({**both["datasets"][0], "name": "two", "modalities": two})
    both["encoders"] = {"vector": "identity", "text": "tf-idf"}
    found = coordinates(mmbench.plan(both), "dataset", "modalities")
    assert found == [
        ("one", "petal"), ("one", "sepal"), ("one", "petal+sepal"),
        ("two", "note"), ("two", "petal"), ("two", "note+petal"),
    ]  # fmt: skip


# --- pairs, exclusions, duplicates -----------------------------------------------------------


def test_pair_zip_pairs_the_encoders(plan):
    encoders = {"petal": ["identity", "scaled"], "sepal": {"use": "scaled", "factor": [1, 2]}}
    crossed = coordinates(plan(encoders=encoders), "encoders", "params", "fusion")
    paired = coordinates(plan(encoders=encoders, pair="zip"), "encoders", "params", "fusion")
    two = '{"encoder.sepal": {"factor": 2.0}}'
    one = '{"encoder.sepal": {"factor": 1.0}}'
    assert [c for c in paired if c[2] == "none"] == [c for c in crossed if c[2] == "none"]
    assert len([c for c in crossed if c[2] == "concat"]) == 4
    assert [c for c in paired if c[2] == "concat"] == [
        ("identity+scaled", one, "concat"), ("scaled+scaled", two, "concat")
    ]  # fmt: skip
    with pytest.raises(Exception, match=r"pair = 'zip' needs as many .* \(petal 1, sepal 2\)"):
        plan(encoders={**encoders, "petal": "identity"}, pair="zip")


def test_exclude_leaves_out_what_matches_every_key(plan):
    rules = [{"fusion": "concat", "head": "svm"}, {"modalities": ["petal", "x"], "fold": 1}]
    cells = plan(heads=["svm", "logistic-regression"], exclude=rules)
    left_out = {
        (c.axes["modalities"], c.axes["head"], c.axes["fold"], c.skipped)
        for c in cells.cells
        if c.skipped
    }
    assert left_out == {
        ("petal+sepal", "svm", 0, "left out by exclude[0]"),
        ("petal+sepal", "svm", 1, "left out by exclude[0]"),
        ("petal", "svm", 1, "left out by exclude[1]"),
        ("petal", "logistic-regression", 1, "left out by exclude[1]"),
    }
    assert len(cells.cells) == 12
    assert cells.left_out == {"left out by exclude[0]": 2, "left out by exclude[1]": 2}


def test_exclude_by_encoder_and_all_that_is_excluded(plan):
    rules = [{"encoder_petal": "scaled"}]
    cells = plan(encoders={"petal": ["identity", "scaled"], "sepal": "scaled"}, exclude=rules)
    assert coordinates(cells, "encoders", skipped=True) == [("scaled",), ("scaled+scaled",)]
    assert ("identity+scaled",) in coordinates(cells, "encoders")


def test_what_is_written_twice_is_one_cell(plan):
    once = plan(heads=["svm", {"use": "svm", "C": 2}], fusions=["concat"])
    twice = plan(
        heads=[
            "svm", {"use": "svm", "C": [1, 2, 2.0, 1.0]}, "svm", {"use": "svm", "kernel": "rbf"}
        ],
        fusions=["concat", "concat"],
        encoders={"vector": ["identity", {"use": "identity", "standardise": True}]},
        subsets=[["petal", "sepal"], ["sepal", "petal"]],
        seeds=[0, 0],
    )  # fmt: skip
    assert set(ids(twice)) == set(ids(once))
    assert len(ids(twice)) == len(set(ids(twice)))


def test_standardise_overrides_and_makes_another_cell(plan):
    given = {"use": "identity", "standardise": False}
    assert not set(ids(plan())) & set(ids(plan(encoders={"vector": given})))


# --- seeds and splits ------------------------------------------------------------------------


def test_seeds_that_change_nothing_are_planned_out(plan):
    reason = "nothing in it depends on the seed: it equals seed 3"
    cells = plan(
        seeds=[3, 1],
        heads=["logistic-regression", "random-forest"],
        dataset={"fold": "turn"},
        split={},
    )
    found = {(c.axes["head"], c.seed, c.skipped) for c in cells.cells}
    assert found == {
        ("logistic-regression", 3, ""),
        ("logistic-regression", 1, reason),
        ("random-forest", 3, ""),
        ("random-forest", 1, ""),
    }
    assert cells.left_out == {reason: 3 * 4}


def test_an_encoder_that_asks_for_a_seed_makes_replicates(plan):
    cells = plan(**{**THREE, "dataset": {**ALL, "fold": "turn"}}, seeds=[0, 1], split={})
    found = coordinates(cells, "modalities", "seed")
    assert found == [
        ("petal", 0), ("sepal", 0), ("note", 0), ("note", 1),
        ("petal+sepal+note", 0), ("petal+sepal+note", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("split", [{"folds": 2}, {"scheme": "kfold"}, {"scheme": "holdout"}])
def test_splits_that_depend_on_the_seed_make_replicates(plan, split):
    cells = plan(seeds=[0, 1], split=split)
    assert not any(c.skipped for c in cells.cells)
    tests = {(c.seed, c.part.fold): tuple(c.part.test) for c in cells.cells}
    assert tests[0, 0] != tests[1, 0]
    expected = {"holdout": 1}.get(split.get("scheme"), split.get("folds", 5))
    assert sorted(tests) == [(s, f) for s in (0, 1) for f in range(expected)]


def parts(plan: Any) -> list[Any]:
    """The distinct parts of a plan's cells."""
    return list({(c.seed, c.part.fold): c.part for c in plan.cells}.values())


def by_class(plan: Any, rows: np.ndarray) -> list[int]:
    (samples,) = plan.samples.values()
    return np.bincount(samples.labels[rows], minlength=3).tolist()


def test_kfold_is_a_stratified_partition(plan):
    made = plan(split={"scheme": "kfold", "folds": 4})
    found = parts(made)
    assert sorted(np.concatenate([part.test for part in found])) == list(range(N))
    for part in found:
        assert by_class(made, part.test) == [5, 3, 2]
        assert len(part.validation) == 0
        assert sorted([*part.train, *part.test]) == list(range(N))


def test_holdout_is_stratified_and_validation_stands_apart(plan):
    made = plan(split={"scheme": "holdout", "test": 0.25, "validation": 0.25})
    (part,) = parts(made)
    assert sorted([*part.train, *part.validation, *part.test]) == list(range(N))
    assert by_class(made, part.test) == [5, 3, 2]
    assert by_class(made, part.validation) == [5, 3, 2]
    assert by_class(made, part.train) == [10, 6, 4]


def test_kfold_never_cuts_a_group(plan):
    made = plan(dataset={"group": "plant"}, split={"folds": 5})
    groups = np.arange(N) % 10
    found = parts(made)
    assert sorted(np.concatenate([part.test for part in found])) == list(range(N))
    assert all(not set(groups[part.train]) & set(groups[part.test]) for part in found)
    assert made.notes == []


@pytest.mark.parametrize("test", [0.1, 0.2, 0.3, 0.4, 0.6, 0.02])
def test_a_grouped_holdout_has_the_size_that_was_asked(plan, test):
    made = plan(
        dataset={"group": "plant"},
        split={"scheme": "holdout", "test": test, "validation": 0.1},
        seeds=[0, 1, 2],
    )
    groups = np.arange(N) % 10
    for part in parts(made):
        sides = [set(groups[rows]) for rows in (part.train, part.validation, part.test)]
        assert sorted([*part.train, *part.validation, *part.test]) == list(range(N))
        assert sum(map(len, sides)) == 10
        assert len(sides[2]) == max(1, round(10 * test))  # groups of one size
        assert len(sides[1]) == 1


def test_given_folds_and_given_split(plan):
    folds = parts(plan(dataset={"fold": "turn"}, split={}))
    assert [part.test.tolist() for part in folds] == [list(range(k, N, 4)) for k in range(4)]
    assert all(sorted([*p.train, *p.test]) == list(range(N)) for p in folds)
    (part,) = parts(plan(dataset={"split": "part"}, split={}))
    places = (part.train, part.validation, part.test)
    assert [set(rows % 4) for rows in places] == [{0, 1}, {2}, {3}]
    assert [len(rows) for rows in places] == [20, 10, 10]


def test_a_scheme_overrules_what_the_dataset_brings(plan):
    made = plan(dataset={"fold": "turn"}, split={"scheme": "kfold", "folds": 3})
    assert len(parts(made)) == 3


def test_given_parts_that_cut_groups_are_warned_of(plan):
    made = plan(dataset={"split": "part", "group": "plant", "name": "garden"}, split={})
    groups = np.arange(N) % 10
    cut = set(groups[np.arange(N) % 4 < 2]) & set(groups[np.arange(N) % 4 == 3])
    assert len(made.notes) == 1
    assert f"garden: the given split cuts through {len(cut)} groups" in made.notes[0]


def test_classes_smaller_than_the_folds_are_warned_of(plan):
    made = plan(split={"folds": 10})
    assert len(made.notes) == 1
    assert "1 classes have fewer samples than the 10 folds ('c' first)" in made.notes[0]


@pytest.mark.parametrize("limit", [10, 20, 37])
def test_limit_takes_a_stratified_sample(plan, limit):
    made = plan(limit=limit)
    (samples,) = made.samples.values()
    assert made.name == f"flowers-limit{limit}"
    assert len(samples.ids) == limit == len(set(samples.ids))
    everyone = [f"s{i}" for i in range(N)]
    assert [i for i in everyone if i in samples.ids] == list(samples.ids)
    exact = np.array([20, 12, 8]) * limit / N
    assert (np.abs(np.bincount(samples.labels) - exact) < 1).all()
    labels = {f"s{i}": 0 if i < 20 else 1 if i < 32 else 2 for i in range(N)}
    assert [labels[i] for i in samples.ids] == samples.labels.tolist()
    assert plan(limit=limit).samples.popitem()[1].ids == samples.ids


def test_a_limit_above_the_size_takes_all(plan):
    made = plan(limit=1000)
    assert len(next(iter(made.samples.values())).ids) == N


def test_limit_keeps_rare_classes_without_taking_more(tmp_path):
    rows = [f"{i % 3},{'common' if i < 90 else f'rare{i}'}" for i in range(100)]
    (tmp_path / "m.csv").write_text("v1,class\n" + "\n".join(rows) + "\n")
    modalities = {"v": {"columns": "v*", "kind": "vector"}}
    block = {"use": "manifest", "path": "m.csv", "label": "class", "modalities": modalities}
    block |= {"split": "part"}
    parts_of = ["part", *(["train", "test"] * 50)]
    lines = (tmp_path / "m.csv").read_text().splitlines()
    joined = [f"{line},{part}" for line, part in zip(lines, parts_of, strict=True)]
    (tmp_path / "m.csv").write_text("\n".join(joined) + "\n")
    made = mmbench.plan(
        {"name": "x", "datasets": [block], "encoders": {"v": "identity"}, "heads": ["svm"]},
        limit=20,
    )
    (samples,) = made.samples.values()
    counts = Counter(samples.classes[label] for label in samples.labels)
    assert counts.pop("common") == 10
    assert list(counts.values()) == [1] * 10


# --- ids -------------------------------------------------------------------------------------


def test_ids_depend_on_every_axis(plan):
    base = set(ids(plan()))
    others = {
        "seed": {"seeds": [1]},
        "head": {"heads": ["svm"]},
        "option": {"heads": [{"use": "logistic-regression", "C": 2}]},
        "encoder": {"encoders": {"vector": "scaled"}},
        "folds": {"split": {"folds": 3}},
        "scheme": {"split": {"scheme": "holdout"}},
        "test": {"split": {"scheme": "holdout", "test": 0.3}},
        "validation": {"split": {"scheme": "holdout", "validation": 0.1}},
        "given": {"split": {}, "dataset": {"fold": "turn"}},
        "name": {"dataset": {"name": "garden"}},
        "limit": {"limit": 20},
        "other limit": {"limit": 30},
    }
    found = {"base": base} | {what: set(ids(plan(**keys))) for what, keys in others.items()}
    for (one, first), (two, second) in itertools.combinations(found.items(), 2):
        assert not first & second, f"{one} and {two} share cells"
    assert len(base) == len(ids(plan()))


def test_ids_do_not_depend_on_what_does_not_matter(plan, flowers, tmp_path):
    heads = [{"use": "svm", "C": 2.0, "kernel": "linear"}]
    base = plan(heads=heads, dataset={"name": "garden"})
    copy = tmp_path / "elsewhere" / "copied.csv"
    copy.parent.mkdir()
    copy.write_bytes(flowers.read_bytes())
    reordered = {
        "threads": 2,
        "fusions": ["vote", "concat"],
        "heads": [{"kernel": "linear", "degree": 3, "gamma": "scale", "C": 2, "use": "svm"}],
        "name": "another",
        "dataset": {"name": "garden", "path": str(copy), "group": None},
        "metrics": ["accuracy"],
        "split": {"scheme": "kfold", "folds": 2},
    }
    del reordered["dataset"]["group"]
    other = plan(**reordered)
    shared = [c for c in other.cells if c.axes["fusion"] != "vote"]
    assert [c.id for c in shared] == ids(base)
    moved = plan(seeds=[7, 0], heads=heads, dataset={"name": "garden"})
    assert set(ids(base)) <= set(ids(moved))


def test_ids_are_the_same_in_another_process_and_folder(flowers, tmp_path, plan):
    written = tmp_path / "moved"
    written.mkdir()
    (written / "manifest.csv").write_bytes(flowers.read_bytes())
    (written / "flowers.toml").write_text(
        """
        heads = [{ C = [1, 2], use = "svm" }]
        fusions = "concat"
        name = "flowers"
        [split]
        folds = 2
        [encoders]
        vector = "identity"
        [[datasets]]
        name = "garden"
        modalities.petal = { kind = "vector", columns = "petal*" }
        modalities.sepal = { kind = "vector", columns = "sepal*" }
        use = "manifest"
        id = "id"
        label = "class"
        path = "manifest.csv"
        """
    )
    code = "import mmbench; print(*[c.id for c in mmbench.plan('moved/flowers.toml').cells])"
    env = {**os.environ, "PYTHONHASHSEED": "12345"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=tmp_path
    )
    assert done.stderr == ""
    here = plan(heads=[{"use": "svm", "C": [1, 2]}], dataset={"name": "garden"})
    assert done.stdout.split() == ids(here)
    assert len(set(ids(here))) == 12


def test_the_caller_s_matrix_is_left_as_it_is(flowers):
    given = matrix(flowers)
    before = json.dumps(given)
    made = mmbench.plan(given, overrides=["split.folds=3", "datasets.0.name=garden", "seeds=[1]"])
    assert len(parts(made)) == 3
    assert set(coordinates(made, "dataset", "seed")) == {("garden", 1)}
    assert json.dumps(given) == before


# --- closed forms ----------------------------------------------------------------------------


@st.composite
def matrices(draw: st.DrawFn) -> dict[str, Any]:
    names = ["petal", "sepal", "note"][: draw(st.integers(1, 3))]
    sizes = {name: draw(st.integers(1, 3)) for name in names}
    listed = st.lists(st.sets(st.sampled_from(names), min_size=1).map(sorted), min_size=1)
    return {
        "sizes": sizes,
        "subsets": draw(st.none() | st.just("all") | listed),
        "weighed": draw(st.integers(0, 2)),
        "decision": draw(st.lists(st.sampled_from(["vote", "stacking"]), unique=True)),
        "joint": draw(st.booleans()),
        "heads": draw(st.integers(1, 3)),
        "seeds": draw(st.lists(st.integers(0, 9), min_size=1, max_size=3, unique=True)),
        "folds": draw(st.integers(2, 4)),
    }


def closed_form(drawn: dict[str, Any]) -> tuple[int, int]:
    """Count the cells by hand: those to evaluate, and those skipped."""
    sizes, subsets = drawn["sizes"], drawn["subsets"]
    names = list(sizes)
    if subsets is None:
        asked = {frozenset(names)}
    elif subsets == "all":
        asked = {
            frozenset(c) for k in range(1, len(names) + 1) for c in itertools.combinations(names, k)
        }
    else:
        asked = {frozenset(subset) for subset in subsets}
    fits = drawn["heads"] * (drawn["weighed"] + len(drawn["decision"])) + drawn["joint"]
    alone = sum(sizes[m] for m in frozenset.union(*asked)) * drawn["heads"]
    fused = sum(math.prod(sizes[m] for m in s) for s in asked if len(s) > 1) * fits
    skipped = sizes[names[0]] * fits if len(names) == 1 else 0
    replicates = len(drawn["seeds"]) * drawn["folds"]
    return (alone + fused) * replicates, skipped * replicates


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=matrices())
def test_the_number_of_cells_is_the_closed_form(flowers, drawn):
    encoders = {
        name: {"use": "length" if KINDS[name] == "text" else "scaled", option: list(range(size))}
        for name, size in drawn["sizes"].items()
        for option in (["jitter"] if KINDS[name] == "text" else ["factor"])
    }
    weights = [[float(i)] * 3 for i in range(drawn["weighed"])]
    fusions = [*drawn["decision"], *["frequency"] * drawn["joint"]]
    fusions += [{"use": "weighed", "weights": weights}] * bool(weights)
    made = mmbench.plan(
        matrix(
            flowers,
            {"modalities": {name: MODALITIES[name] for name in drawn["sizes"]}},
            encoders=encoders,
            fusions=fusions,
            heads=[{"use": "logistic-regression", "C": [2.0**i for i in range(drawn["heads"])]}],
            seeds=drawn["seeds"],
            split={"folds": drawn["folds"]},
            **({} if drawn["subsets"] is None else {"subsets": drawn["subsets"]}),
        ),
        plugins=[OPTIONS],
    )
    planned = [cell for cell in made.cells if not cell.skipped]
    assert (len(planned), len(made.cells) - len(planned)) == closed_form(drawn)
    assert len(set(ids(made))) == len(made.cells)
    assert set(made.wanted) == {cell.id for cell in planned}


labels_of = st.lists(st.integers(0, 3), min_size=2, max_size=60).map(np.array)


@settings(max_examples=80, deadline=None)
@given(labels=labels_of, n_splits=st.integers(2, 8), seed=st.none() | st.integers(0, 5))
def test_folds_are_a_stratified_partition(labels, n_splits, seed):
    counts = np.unique(labels, return_counts=True)[1]
    assume(counts.max() >= 2)
    made = mmbench.folds(labels, n_splits=n_splits, seed=seed)
    assert len(made) == max(2, min(n_splits, counts.min()))
    assert sorted(np.concatenate([test for _, test in made])) == list(range(len(labels)))
    for train, test in made:
        assert sorted([*train, *test]) == list(range(len(labels)))
    for label in np.unique(labels):
        held = [int((labels[test] == label).sum()) for _, test in made]
        assert max(held) - min(held) <= 1
    again = mmbench.folds(labels, n_splits=n_splits, seed=seed)
    assert all(
        np.array_equal(a, b)
        for one, two in zip(made, again, strict=True)
        for a, b in zip(one, two, strict=True)
    )


@settings(max_examples=80, deadline=None)
@given(data=st.data(), n_splits=st.integers(2, 8), seed=st.none() | st.integers(0, 5))
def test_folds_never_cut_a_group(data, n_splits, seed):
    labels = data.draw(labels_of)
    groups = np.array(
        data.draw(st.lists(st.integers(0, 9), min_size=len(labels), max_size=len(labels)))
    )
    assume(np.unique(labels, return_counts=True)[1].max() >= 2 and len(set(groups)) > 1)
    made = mmbench.folds(labels, groups, n_splits=n_splits, seed=seed)
    assert sorted(np.concatenate([test for _, test in made])) == list(range(len(labels)))
    assert 2 <= len(made) <= min(max(n_splits, 2), len(set(groups)))
    for train, test in made:
        assert sorted([*train, *test]) == list(range(len(labels)))
        assert not set(groups[train]) & set(groups[test])


def test_one_group_alone_is_no_reason_to_make_no_folds():
    made = mmbench.folds(np.array([0, 1] * 5), np.zeros(10))
    assert len(made) == 2
    assert sorted(np.concatenate([test for _, test in made])) == list(range(10))


@given(seed=st.integers(0, 2**40), fold=st.none() | st.integers(0, 99))
def test_derived_seeds_are_redone_by_hand(seed, fold):
    import hashlib

    text = f"{seed}/{'' if fold is None else fold}/head".encode()
    expected = int(hashlib.sha256(text).hexdigest()[:8], 16)
    assert mmbench.derive_seed(seed, fold, "head") == expected < 2**32
