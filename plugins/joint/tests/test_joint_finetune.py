"""Encoders trained with a fusion: where it begins, what it learns, and what of them is trained."""

from __future__ import annotations

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from mmbench_joint.decisions import Trusted
from mmbench_joint.tokens import CrossTransformer
from mmbench_joint.vectors import Gated, Mlp
from peft import LoraConfig, get_peft_model
from sklearn.preprocessing import StandardScaler
from torch import nn

import mmbench

BLIND = """
import numpy as np
import torch
from torch import nn

from mmbench import hookimpl


class Toy:
    # The label is the sign of the first column, which the encoder "blind" does not see.
    modalities = {"left": "vector", "right": "vector"}
    classes = ["a", "b"]

    def __init__(self):
        rng = np.random.default_rng(0)
        self.ids = [str(i) for i in range(400)]
        self.split = (["train"] * 3 + ["test"]) * 100
        self.views = {m: rng.normal(size=(400, 6)) for m in self.modalities}
        self.labels = (self.views["left"][:, 0] > 0).astype(np.int64)

    def items(self, modality):
        return list(self.views[modality])

    def fingerprint(self, modality):
        return f"toy {modality}"


class Blind:
    def __init__(self):
        with torch.random.fork_rng():
            torch.default_generator.manual_seed(0)
            self.network = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5))
        with torch.no_grad():
            self.network[0].weight[:, 0] = 0

    def module(self):
        return self.network

    def collate(self, items):
        return torch.as_tensor(np.stack(items), dtype=torch.float32)

    def encode(self, items):
        with torch.no_grad():
            return self.network.eval()(self.collate(items)).numpy()


class Same:
    def encode(self, items):
        return np.stack(items).astype(np.float32)


@hookimpl
def mmbench_register_datasets(register):
    register("toy", Toy)


@hookimpl
def mmbench_register_encoders(register):
    register("blind", Blind, kind="vector", finetune=True)
    register("same", Same, kind="vector")
"""
SCOPE: dict = {}
exec(BLIND, SCOPE)
TOY, Blind = SCOPE["Toy"](), SCOPE["Blind"]
TRAIN = np.flatnonzero(np.array(TOY.split) == "train")
TEST = np.flatnonzero(np.array(TOY.split) == "test")
QUICK = {"epochs": 12, "width": 16, "learning_rate": 0.01, "encoder_learning_rate": 0.01}
STILL = {"epochs": 1, "learning_rate": 1e-9, "encoder_learning_rate": 1e-9, "dropout": 0.0}
"""Options under which training changes nothing that can be seen."""


def items(rows: np.ndarray) -> dict:
    return {m: [TOY.items(m)[i] for i in rows] for m in TOY.modalities}


def embedded() -> tuple[dict, dict]:
    """Return the frozen features of the training and the test part, standardised."""
    made: tuple[dict, dict] = {}, {}
    for m in TOY.modalities:
        values = Blind().encode(TOY.items(m)).astype(np.float64)
        scaler = StandardScaler().fit(values[TRAIN])
        for rows, into in zip((TRAIN, TEST), made, strict=True):
            into[m] = scaler.transform(values[rows])
    return made


@pytest.mark.parametrize("mode", ["full", "lora"])
@pytest.mark.parametrize("fusion", [Mlp, Gated, Trusted])
def test_it_begins_where_the_frozen_one_does(fusion, mode):
    train, test = embedded()
    frozen = fusion(**STILL, seed=3).fit(train, TOY.labels[TRAIN])
    encoders = {m: Blind() for m in TOY.modalities}
    tuned = fusion(**STILL, seed=3, finetune=mode)
    tuned.fit_items(encoders, items(TRAIN), TOY.labels[TRAIN])
    made = tuned.predict_proba_items(items(TEST))
    np.testing.assert_allclose(made, frozen.predict_proba(test), atol=2e-4)


def test_a_run_over_the_axis(tmp_path):
    (tmp_path / "toy.py").write_text(BLIND)
    matrix = {
        "name": "finetune",
        "datasets": [{"use": "toy"}],
        "encoders": {"left": "blind", "right": ["blind", "same"]},
        "fusions": [{"use": "mlp", **QUICK, "mixup": 0.2}],
        "heads": ["logistic-regression"],
        "finetune": ["frozen", "lora", "full"],
    }
    table = mmbench.run(
        matrix,
        out=tmp_path / "run",
        store=tmp_path / "store",
        jobs=1,
        plugins=[str(tmp_path / "toy.py")],
    )
    assert set(table["status"]) == {"ok"}, table["reason"].tolist()
    joint = table[table["level"] == "joint"].set_index(["encoder_right", "finetune"])
    assert len(joint) == 6
    accuracy = joint["accuracy"].unstack("finetune")
    assert accuracy["frozen"].max() < 0.65  # it cannot be known from these embeddings
    assert accuracy[["lora", "full"]].min().min() > 0.9
    assert (table.loc[table["level"] == "none", "finetune"] == "").all()
    # what is frozen comes from the store; what is trained is not embedded beforehand
    assert (joint["embed_s"].xs("frozen", level="finetune") > 0).all()
    both = joint.xs("blind", level="encoder_right")
    assert (both.loc[both.index.get_level_values("finetune") != "frozen", "embed_s"] == 0).all()

    cell = joint.loc[("same", "full")]
    right = StandardScaler().fit(np.float32(TOY.views["right"])[TRAIN])
    given = {
        part: {"left": items(rows)["left"], "right": right.transform(TOY.views["right"][rows])}
        for part, rows in (("train", TRAIN), ("test", TEST))
    }
    seed = mmbench.derive_seed(0, 0, "fusion")
    by_hand = Mlp(**QUICK, mixup=0.2, finetune="full", seed=seed)
    by_hand.fit_items({"left": Blind()}, given["train"], TOY.labels[TRAIN])
    told = pd.read_parquet(tmp_path / "run" / "predictions" / f"{cell['cell']}.parquet")
    made = by_hand.predict_proba_items(given["test"])
    np.testing.assert_allclose(told[["p_a", "p_b"]], made, atol=1e-4)
    curves = json.loads((tmp_path / "run" / "fits" / f"{cell['cell']}.json").read_text())
    (curve,) = curves.values()
    assert curve[-1]["trained_encoder_parameters"] == 6 * 8 + 8 + 8 * 5 + 5


class Mixed(nn.Module):
    """Layers of every sort that adapters are made for or not."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(1, 4, 3, padding=1)
        self.grouped = nn.Conv1d(4, 4, 3, padding=1, groups=2)
        self.norm = nn.BatchNorm1d(4)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.last = nn.Linear(4, 3)

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        made = self.norm(self.grouped(self.convolution(batch[:, None]))).transpose(1, 2)
        attended: torch.Tensor = self.attention(made, made, made, need_weights=False)[0]
        return self.last(attended.mean(dim=1))


class MixedEncoder(Blind):
    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.default_generator.manual_seed(1)
            self.network = Mixed()


def test_only_adapters_are_trained_as_many_as_peft_says():
    encoders = {m: MixedEncoder() for m in TOY.modalities}
    before = {m: copy.deepcopy(e.module().state_dict()) for m, e in encoders.items()}
    tuned = Mlp(**QUICK, finetune="lora", lora_rank=3)
    tuned.fit_items(encoders, items(TRAIN), TOY.labels[TRAIN])
    layers = ["convolution", "attention", "last"]
    reference = get_peft_model(Mixed(), LoraConfig(r=3, target_modules=layers))
    expected = 2 * reference.get_nb_trainable_parameters()[0]
    assert {row["trained_encoder_parameters"] for row in tuned.history_} == {expected}
    for m, encoder in encoders.items():
        after = encoder.module().state_dict()
        for name, weights in before[m].items():
            kept = name.replace(".weight", ".base_layer.weight").replace(
                ".bias", ".base_layer.bias"
            )
            found = [after[k] for k in (name, kept) if k in after]
            if "attention" not in name:  # renamed deeper
                assert torch.equal(found[0], weights), name  # running statistics, too
    moved = [v for k, v in after.items() if "lora_B" in k]
    assert all(value.abs().max() > 0 for value in moved)  # they begin as zeros


def test_a_network_without_such_layers_is_told_of():
    class Scale(Blind):
        def __init__(self) -> None:
            self.network = nn.LayerNorm(6)

    encoders = {m: Scale() for m in TOY.modalities}
    with pytest.raises(ValueError, match="neither linear nor convolution layers"):
        Mlp(**QUICK, finetune="lora").fit_items(encoders, items(TRAIN), TOY.labels[TRAIN])


@pytest.mark.parametrize("fusion", [Mlp, Trusted, CrossTransformer])
def test_what_is_missing_is_the_mean_or_left_out(fusion):
    """As the frozen fusion has it: filled in by the mean, or lacking where that is handled."""
    train, test = embedded()
    lacking = items(TRAIN), items(TEST)
    for part, given in zip((train, test), lacking, strict=True):
        for i in range(0, len(given["left"]), 5):
            given["left"][i] = None
            part["left"][i] = np.nan
    known = ~np.isnan(train["left"][:, 0])
    scaler = StandardScaler().fit(train["left"][known])
    for part in (train, test):
        part["left"] = scaler.transform(part["left"])
        if not fusion.handles_missing:
            part["left"] = np.nan_to_num(part["left"])
    frozen = fusion(**STILL, modality_dropout=0.3, seed=5).fit(train, TOY.labels[TRAIN])
    tuned = fusion(**STILL, modality_dropout=0.3, seed=5, finetune="full")
    tuned.fit_items({m: Blind() for m in TOY.modalities}, lacking[0], TOY.labels[TRAIN])
    made = tuned.predict_proba_items(lacking[1])
    np.testing.assert_allclose(made, frozen.predict_proba(test), atol=2e-4)
    nothing = {**lacking[0], "left": [None] * len(TRAIN)}
    with pytest.raises(ValueError, match="no training sample has a modality"):
        tuned.fit_items({m: Blind() for m in TOY.modalities}, nothing, TOY.labels[TRAIN])


def test_the_validation_part_stops_it_and_the_same_seed_repeats_it():
    held = TRAIN[::4]
    made = []
    for _ in range(2):
        tuned = Mlp(**QUICK, finetune="full", seed=1, modality_dropout=0.2)
        tuned.fit_items(
            {m: Blind() for m in TOY.modalities},
            items(TRAIN),
            TOY.labels[TRAIN],
            validation=(items(held), TOY.labels[held]),
        )
        made.append(tuned.predict_proba_items(items(TEST)))
    assert np.array_equal(*made)
    assert all("validation_loss" in row for row in tuned.history_)
    batch = tuned.predict_proba_items({m: [given[0]] for m, given in items(TEST).items()})
    np.testing.assert_allclose(batch, made[0][:1], atol=1e-5)


def test_batch_normalisation_meets_no_single_item():
    """Of 129 training samples a last one would be left over."""

    class Normed(Blind):
        def __init__(self) -> None:
            self.network = nn.Sequential(nn.Linear(6, 5), nn.BatchNorm1d(5))

    rows = TRAIN[:129]
    tuned = Mlp(**{**QUICK, "epochs": 1}, finetune="full")
    tuned.fit_items({m: Normed() for m in TOY.modalities}, items(rows), TOY.labels[rows])
    assert np.isfinite(tuned.predict_proba_items(items(TEST))).all()
