"""Cells whose encoders are trained with the fusion: which there are, and what they are given."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import mmbench
from mmbench import catalogue
from mmbench.errors import UserError
from mmbench.results import telling_axes
from mmbench.serving import Service
from mmbench.workshop import Context
from tests.here import Here

PLUGIN = """
import numpy as np

from mmbench import hookimpl


class Views:
    # Sample i lacks its left view where i is a multiple of 10; its label is in the right one.
    modalities = {"left": "vector", "right": "vector", "clip": "video"}
    classes = ["a", "b", "c"]

    def __init__(self, whole: bool = False):
        self.labels = np.arange(60) % 3
        self.ids = [str(i) for i in range(60)]
        self.split = (["train"] * 2 + ["validation"] + ["test"]) * 15
        noise = np.random.default_rng(0).normal(size=(2, 60, 3))
        right = 2 * np.eye(3)[self.labels] + noise[1]
        self.views = {"left": noise[0], "right": right, "clip": [object()] * 60}
        self.lacking = [] if whole else range(0, 60, 10)

    def items(self, modality):
        found = list(self.views[modality])
        for i in self.lacking if modality == "left" else ():
            found[i] = None
        return found

    def fingerprint(self, modality):
        return f"views {modality} {len(self.lacking)}"


class Powers:
    '''Powers of the vectors; its network is a list with the exponent.'''

    def __init__(self, power: int = 1):
        self.network = [power]

    def encode(self, items):
        return (np.stack(items) ** self.network[0]).astype(np.float32)

    def module(self):
        return self.network

    def collate(self, items):
        return np.stack(items)


class TokenPowers(Powers):
    pass


class Nearest:
    '''The nearer to the mean of a class, the likelier; it trains a network by adding to it.'''

    def __init__(self, step: int = 0, finetune: str = "frozen"):
        self.step, self.finetune = step, finetune

    def fit(self, features, labels, *, validation=None):
        X = np.hstack(list(features.values()))
        self.means = np.stack([X[labels == c].mean(axis=0) for c in range(labels.max() + 1)])
        return self

    def predict_proba(self, features):
        apart = np.hstack(list(features.values()))[:, None] - self.means
        near = np.exp(-np.linalg.norm(apart, axis=2))
        return near / near.sum(axis=1, keepdims=True)

    def features(self, items):
        made = {}
        for m, given in items.items():
            if m not in self.encoders:
                made[m] = given
                continue
            encoder = self.encoders[m]
            known = [item for item in given if item is not None]
            values = np.zeros((len(given), 3))
            values[[item is not None for item in given]] = encoder.collate(known) ** self.power[m]
            made[m] = values
        return made

    def fit_items(self, encoders, items, labels, *, validation=None):
        assert self.finetune in ("lora", "full")
        if validation is not None:
            assert {len(part) for part in validation[0].values()} == {len(validation[1])}
        step = self.step if self.finetune == "full" else 0
        self.encoders = encoders
        self.power = {m: e.module()[0] + step for m, e in encoders.items()}
        for m, encoder in encoders.items():
            encoder.module()[0] = self.power[m]  # fresh ones: no other cell sees it
        return self.fit(self.features(items), labels)

    def predict_proba_items(self, items):
        return self.predict_proba(self.features(items))


class OnlyFull(Nearest):
    def __init__(self, step: int = 0):
        super().__init__(step, "full")


@hookimpl
def mmbench_register_datasets(register):
    register("views", Views)


@hookimpl
def mmbench_register_encoders(register):
    register("powers", Powers, kind="vector", finetune=True)
    register("token-powers", TokenPowers, kind="vector", finetune=True, sequences=True)
    register("frames", Powers, kind="image", finetune=True)


@hookimpl
def mmbench_register_fusions(register):
    register("nearest", Nearest, level="joint", finetune=True)
    register("only-full", OnlyFull, level="joint", finetune=True)
    register("of-tokens", Nearest, level="joint", finetune=True, sequences=True)
    register("untrained", Nearest, level="joint")
"""


@pytest.fixture
def matrix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Return a matrix over planted views, with changes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(catalogue, "_notebook", [])
    mmbench.register("runner", "here", Here)
    Path("views.py").write_text(PLUGIN)

    def make(**keys: Any) -> dict[str, Any]:
        return {
            "name": "views",
            "plugins": ["views.py"],
            "datasets": [{"use": "views"}],
            "subsets": [["left", "right"]],
            "encoders": {"vector": "powers"},
            "fusions": ["nearest"],
            "heads": ["logistic-regression"],
            "finetune": ["frozen", "lora", "full"],
            **keys,
        }

    return make


def joint(plan: Any) -> dict[tuple[str, ...], str]:
    """Return why each joint cell is left out, by fusion and finetune; empty where it is not."""
    cells = [cell for cell in plan.cells if cell.level == "joint"]
    return {(cell.axes["fusion"], cell.axes["finetune"]): cell.skipped for cell in cells}


def test_it_is_an_axis_of_joint_fusions_alone(matrix):
    plan = mmbench.plan(matrix(fusions=["nearest", "concat", "vote"]))
    assert joint(plan) == {("nearest", f): "" for f in ("frozen", "lora", "full")}
    others = [cell.axes["finetune"] for cell in plan.cells if cell.level != "joint"]
    assert others
    assert set(others) == {""}
    assert "finetune frozen, lora, full (joint fusions)" in plan.products[0]
    ids = {cell.axes["finetune"]: cell.id for cell in plan.cells if cell.level == "joint"}
    assert len(set(ids.values())) == 3
    assert joint(mmbench.plan(matrix(finetune="full"))) == {("nearest", "full"): ""}
    del (plain := matrix())["finetune"]
    (alone,) = [cell for cell in mmbench.plan(plain).cells if cell.level == "joint"]
    assert (alone.id, alone.axes["finetune"]) == (ids["frozen"], "frozen")


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({"fusions": ["untrained", "nearest"]}, "fusion 'untrained' does not train encoders"),
        ({"encoders": {"vector": "identity"}}, "none of its encoders can be trained with a fusion"),
        ({"alignments": ["cca"]}, "alignments are of embeddings that stay as they are"),
        ({"missing": ["zero"]}, "missing = 'zero' is of embeddings that stay as they are"),
        (
            {"fusions": ["of-tokens"], "encoders": {"vector": "token-powers"}},
            "fusion 'of-tokens' takes sequences, whose encoders are not trained with it",
        ),
    ],
)
def test_what_cannot_be_trained_is_left_out_with_the_reason(matrix, changes, left_out):
    reasons = joint(mmbench.plan(matrix(**changes)))
    first = next(iter(reasons))[0]
    assert reasons[first, "frozen"] == ""
    assert {reasons[first, f] for f in ("lora", "full")} == {left_out}


def test_a_fusion_that_does_not_ask_trains_in_full(matrix):
    reasons = joint(mmbench.plan(matrix(fusions=["only-full"])))
    assert reasons["only-full", "full"] == ""
    assert "in full, not by low-rank adapters" in reasons["only-full", "lora"]


def test_an_encoder_of_frames_stays_frozen(matrix):
    encoders = {"vector": "identity", "video": "frames"}
    plan = mmbench.plan(matrix(encoders=encoders, subsets=[["right", "clip"]]))
    assert "none of its encoders" in joint(plan)["nearest", "full"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"fusions": ["concat"]},
            "no fusion of the file trains encoders; those that do: .*nearest",
        ),
        ({"finetune": "ful"}, "matrix: finetune.* 'ful': .*'frozen', 'lora' or 'full'"),
        ({"finetune": []}, "finetune = \\[\\]: .*at least 1"),
    ],
)
def test_mistakes_in_the_key(matrix, changes, told):
    with pytest.raises(UserError, match=told):
        mmbench.plan(matrix(**changes))


def test_a_run_against_the_cells_by_hand(matrix):
    content = matrix(
        encoders={"left": {"use": "powers", "power": 2}, "right": ["powers", "identity"]},
        fusions=[{"use": "nearest", "step": 2}],
        missing=["mean", "skip"],
    )
    table = mmbench.run(content, out="run", store="store", jobs=1, runner="here")
    told = telling_axes(mmbench.summarise(table))
    assert {"finetune", "encoders", "missing"} <= set(told)
    report = Path("run/report.md").read_text()
    assert "finetune" in next(line for line in report.splitlines() if line.startswith("| "))
    cells = table[table["level"] == "joint"].set_index(["encoder_right", "missing", "finetune"])
    assert len(cells) == 12
    assert set(cells["status"]) == {"ok"}, cells["reason"].tolist()

    scope: dict[str, Any] = {}
    exec(PLUGIN, scope)
    views = scope["Views"]()
    split = np.array(views.split)
    lacking = np.array([item is None for item in views.items("left")])
    plan = mmbench.plan(content)
    workshop = Context(Path("store"), plan.plugins, plan.registrations, 1, "cpu", Path()).open()
    jobs = {j.key: {"kind": j.kind, "spec": j.spec} for j in plan.graph.jobs.values()}
    for (encoder, policy, mode), cell in cells.iterrows():
        if mode == "frozen":
            continue
        kept = ~lacking if policy == "skip" else np.ones(60, bool)
        train, test = (np.flatnonzero((split == part) & kept) for part in ("train", "test"))
        step = 2 if mode == "full" else 0
        left = np.where(lacking[:, None], 0, views.views["left"] ** (2 + step))
        right = views.views["right"]
        if encoder == "powers":
            right = right ** (1 + step)
        else:  # embedded and standardised as ever
            right = np.float32(right).astype(float)
            right = (right - right[train].mean(axis=0)) / right[train].std(axis=0)
        fusion = scope["Nearest"]()
        fusion.fit({"left": left[train], "right": right[train]}, views.labels[train])
        expected = fusion.predict_proba({"left": left[test], "right": right[test]})
        told = pd.read_parquet(f"run/predictions/{cell['cell']}.parquet")
        np.testing.assert_allclose(told[["p_a", "p_b", "p_c"]], expected, atol=1e-6)
        assert cell["n_test"] == len(test)

        service = Service(jobs, plan.wanted[cell["cell"]].final, workshop)
        assert set(service.sources) == {"left", "right"}
        given = {m: [views.items(m)[i] for i in test] for m in ("left", "right")}
        np.testing.assert_allclose(service.predict(given), expected, atol=1e-6)


def test_it_is_tuned_as_others_are(matrix):
    content = matrix(
        datasets=[{"use": "views", "whole": True}],
        finetune=["full"],
        tuning={"fusions": {"nearest": {"step": [1, 0, 3]}}},
    )
    table = mmbench.run(content, out="run", store="store", jobs=1, runner="here")
    (cell,) = table[table["level"] == "joint"].itertuples()
    assert cell.status == "ok", cell.reason
    by_hand = {}
    for step in (0, 1, 3):
        alone = matrix(
            datasets=[{"use": "views", "whole": True}],
            finetune=["full"],
            fusions=[{"use": "nearest", "step": step}],
            split={"scheme": "given"},
        )
        plan = mmbench.plan(alone)
        (one,) = [each for each in plan.cells if each.level == "joint"]
        workshop = Context(Path("store"), plan.plugins, plan.registrations, 1, "cpu", Path()).open()
        jobs = {j.key: {"kind": j.kind, "spec": j.spec} for j in plan.graph.jobs.values()}
        for key, values in plan.graph.arrays.items():
            workshop.store.put_array(key, values)
        samples = plan.samples["views"]
        held = one.part.validation
        items = {m: [samples.dataset.items(m)[i] for i in held] for m in ("left", "right")}
        decided = Service(jobs, plan.wanted[one.id].final, workshop).predict(items).argmax(axis=1)
        by_hand[step] = (decided == samples.labels[held]).mean()
    best = max(by_hand.values())
    first = next(step for step in (1, 0, 3) if by_hand[step] == best)
    assert json.loads(cell.tuned) == {"fusion": {"step": first}}
    assert cell.inner_score == pytest.approx(best)


@pytest.mark.parametrize("training", [False, True])
def test_encoders_that_were_trained_embed_corrupted_items(matrix, training):
    lost = {"missing": [{"modality": "left", "rate": [1e-9, 0.5]}], "training": training}
    table = mmbench.run(matrix(corruption=lost), out="run", runner="here")
    assert set(table["status"]) == {"ok"}
    told = f"missing left {{}}{' (training too)' * training}"
    for how in ("frozen", "lora", "full"):
        rows = table[table["finetune"] == how].set_index("corruption")["cell"]
        clean, same, half = (
            pd.read_parquet(f"run/predictions/{rows[c]}.parquet").filter(like="p_").to_numpy()
            for c in ("", told.format("1e-09"), told.format("0.5"))
        )
        np.testing.assert_allclose(same, clean, atol=1e-9)
        assert (np.abs(half - clean).max(axis=1) > 1e-6).mean() > 0.2
