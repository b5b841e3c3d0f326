"""Code that a model brings along: run only where the matrix file says so, and then shown."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

import mmbench
from mmbench.cli import cli
from tests.conftest import write_matrix
from tests.here import Here


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a BERT of random weights whose class stands in the folder itself."""
    import transformers as hf

    monkeypatch.setattr(hf.dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr("mmbench.catalogue._notebook", [])
    mmbench.register("runner", "here", Here)
    folder = tmp_path / "own"
    words = {word: i for i, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"abcdefgh"])}
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.BertConfig(vocab_size=len(words), intermediate_size=16, **sizes)
    hf.BertModel(config).save_pretrained(folder)
    hf.BertTokenizerFast(vocab=words).save_pretrained(folder)
    (folder / "modeling.py").write_text(
        "from transformers import BertConfig, BertModel\n"
        "class OwnConfig(BertConfig):\n    model_type = 'own'\n"
        "class Own(BertModel):\n    config_class = OwnConfig\n"
        f"open({str(tmp_path / 'was-run')!r}, 'w').close()\n"
    )
    told = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "modeling.OwnConfig", "AutoModel": "modeling.Own"}
    (folder / "config.json").write_text(
        json.dumps(told | {"model_type": "own", "auto_map": classes})
    )
    return folder


def written(folder: Path, encoder: str, **options: bool) -> Path:
    """Write a matrix that embeds texts with the model of a folder."""
    rows = [{"text": "abc def"[i:], "label": i % 2} for i in range(6)]
    (folder.parent / "m.jsonl").write_text("\n".join(map(json.dumps, rows)))
    dataset = {"use": "manifest", "name": "data", "path": "m.jsonl", "label": "label"}
    matrix = {
        "name": "code",
        "heads": [{"use": "k-nearest", "n_neighbors": 1}],
        "encoders": {"text": [{"use": encoder, "folder": "own", **options}]},
        "split": {"scheme": "holdout", "test": 0.5},
        "datasets": [{**dataset, "modalities": {"text": {"column": "text", "kind": "text"}}}],
    }
    return write_matrix(folder.parent, matrix)


def run(file: Path) -> pd.Series:
    """Run a matrix of one cell in this process."""
    return mmbench.run(file, runner="here", device="cpu").iloc[0]


def plan(file: Path) -> list[str]:
    """Return the lines that ``mmbench plan`` prints."""
    arguments = ["plan", str(file), "--device", "cpu"]
    return CliRunner().invoke(cli, arguments, catch_exceptions=False).output.splitlines()


@pytest.mark.parametrize("encoder", ["transformers-text", "sentence-transformers"])
def test_it_is_run_where_the_file_says_so_and_plan_and_table_tell(folder, encoder):
    ran = folder.parent / "was-run"
    note = (
        f"note: encoder '{encoder}' (folder = '{folder}'): trust_remote_code is set, so the "
        "model's own code will be executed"
    )
    file = written(folder, encoder)
    assert note not in plan(file)
    row = run(file)
    assert row["status"] == "failed"
    assert "code of its own, which is run only with trust_remote_code = true" in row["reason"]
    assert "\n" not in row["reason"]
    assert not ran.exists()

    file = written(folder, encoder, trust_remote_code=True)
    assert note in plan(file)
    assert not ran.exists()
    row = run(file)
    assert row["status"] == "ok", row["reason"]
    assert ran.exists()
    params = json.loads(row["params"])["encoder.text"]
    assert params["trust_remote_code"] is True
    assert params["code"] == "remote"
