"""Writes the reference of the matrix file from the models that validate it.

``python tests/matrix_page.py > docs/matrix.md``
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator

from mmbench.blocks import (
    CorruptionBlock,
    Missing,
    Needs,
    Range,
    ResourcesBlock,
    SplitBlock,
    TimingBlock,
    TuningBlock,
    as_list,
)
from mmbench.config import DatasetBlock, EncoderUse, HeadUse, MatrixFile, Use

HEAD = """\
# The matrix file

One file in TOML says what is to be crossed. This page lists all its keys; it is written by
`python tests/matrix_page.py`, from the models that validate the file.

```toml title="digits.toml"
name = "digits"
seeds = [0, 1]
fusions = ["concat", "mean-probability"]
heads = ["logistic-regression", { use = "random-forest", n_estimators = [10, 50] }]

[[datasets]]
use = "digits"

[encoders]
image = "hog"
text = "tf-idf"

[[exclude]]
fusion = "concat"
head = "random-forest"
```

```console
$ mmbench plan digits.toml --limit 100
...
$ mmbench plan digits.toml --limit 100 --set split.fold=4  # exit 2
mmbench: digits.toml: unknown key 'split.fold'; did you mean 'folds'?
```

- **A list is an axis**, of plugins and of a plugin's options alike: above, `n_estimators` makes two
  heads. An option that is itself a list is written `[[0.7, 0.3]]`.
- **Top-level keys** stand above the first `[table]`: TOML reads them as part of that table
  otherwise, and the error says so.
- `path`s are relative to the file. `${NAME}` is replaced by that environment variable; an unset one
  is an error. `--set key=value` overrides a key, dotted (`--set split.folds=4`).
- A key that is not listed here is an error, with the nearest one that is. Beside `use`, options of
  the plugin may stand; `mmbench list NAME` shows them."""

SECTIONS: dict[type[BaseModel], tuple[str, str]] = {
    MatrixFile: ("Top level", ""),
    Use: (
        "An entry",
        'A bare name, or a table: `{ use = "svm", C = [0.1, 1] }`. All keys but those below are '
        "options of the plugin.",
    ),
    EncoderUse: (
        "An encoder's entry",
        "Stands in `[encoders]` under the name of a modality, or of a kind (`image`, `text`, "
        "`audio`, `vector`, `video`); the name of a modality goes first.",
    ),
    HeadUse: ("A head's entry", ""),
    DatasetBlock: (
        "[[datasets]]",
        "All other keys are the dataset's options, such as `path`, `label` and "
        "`[datasets.modalities]` of [`manifest`](../plugins/manifest/README.md).",
    ),
    SplitBlock: ("[split]", ""),
    TuningBlock: (
        "[tuning]",
        "See [tuning](tuning.md). `[tuning.heads.NAME]` has a line for each option of that head: a "
        "list of values, or a range.",
    ),
    Range: ("A range", "`{ low = 0.01, high = 100, log = true, steps = 5 }`"),
    CorruptionBlock: ("[corruption]", "See [robustness](robustness.md)."),
    Missing: ("A loss of modalities", "An entry of `corruption.missing`."),
    TimingBlock: ("[timing]", "See [what serving costs](timing.md)."),
    ResourcesBlock: (
        "[resources]",
        "See [clusters](cluster.md). Each key is a kind of job, and a table of what it needs.",
    ),
    Needs: ("What a job needs", "What is not given is the runner's to choose."),
}
"""The heading of each model, and what stands below it."""

MEANINGS: dict[type[BaseModel], dict[str, str]] = {
    MatrixFile: {
        "name": "the run's name; its folder is `results/NAME`",
        "seeds": "replicates: each seeds splits and all that is random",
        "datasets": "blocks, [see below](#datasets)",
        "encoders": "[by modality or by kind](#an-encoders-entry)",
        "alignments": 'what is learnt across modalities before they are fused; `"none"` is none',
        "fusions": "how modalities become one decision; without any, only single modalities are "
        "evaluated, which they always are",
        "heads": "classifiers",
        "metrics": "metrics besides those that are always computed",
        "metric": "what tuning, ranks and the headline go by",
        "subsets": 'which modalities are fused: `"all"` subsets, or a list of lists of names; '
        "unless given, all modalities together",
        "pair": "how encoders of several modalities are combined: crossed, or one by one",
        "finetune": "whether joint fusions train encoders: not, by low-rank adapters, or wholly",
        "missing": "what becomes of samples that lack a modality, [see there](missing.md)",
        "train_sizes": "shares of the training part that are used",
        "threads": "threads of one job, whatever `--jobs` is",
        "plugins": "files or modules that register plugins; they are executed",
        "exclude": "tables of `axis = value` (or a list of values): cells in which all hold are "
        "left out",
        "split": "[how samples are divided](#split)",
        "tuning": "[which options are chosen on the training part](#tuning)",
        "corruption": "[what is made worse in test items](#corruption)",
        "timing": "[what is measured of serving](#timing)",
        "resources": "[what jobs need](#resources), for runners that place them",
    },
    Use: {"use": "the plugin's name, as in `mmbench list`"},
    EncoderUse: {
        "standardise": "whether its embeddings are standardised; unless given, as it registered",
        "over_time": "of an encoder of images, given a video: how embeddings of frames are pooled",
    },
    HeadUse: {
        "calibrate": "whether its own probabilities are calibrated, "
        "[see there](plugins/head.md#calibrated-probabilities)",
    },
    DatasetBlock: {"name": "its name in the table; unless given, the plugin says it"},
    SplitBlock: {
        "scheme": "as the dataset says, cross-validation, or one training and one test part; "
        "unless told, `given` where the dataset brings a split or folds, else `kfold`",
        "folds": "of `kfold`",
        "test": "of `holdout`: the share that is tested",
        "validation": "of `holdout`: the share that feeds early stopping, tuning and calibration",
    },
    TuningBlock: {
        "method": "all values, values drawn at random, or successive halving",
        "metric": "what is maximised on inner folds; unless given, the file's `metric`",
        "budget": "of `random` and `halving`: how many settings are tried, 20 unless told",
        "heads": "by name, then by option",
        "fusions": "by name, then by option",
    },
    Range: {
        "low": "the least value",
        "high": "the greatest value; whole numbers are drawn where both ends are whole",
        "log": "whether values are even in the logarithm",
        "steps": "how many values a grid takes, ends included",
    },
    CorruptionBlock: {
        "missing": '`"all"`: every proper subset of the modalities is taken from all samples; or '
        "[losses](#a-loss-of-modalities)",
        "noise": 'by modality or kind: names of noises, or `"all"`',
        "strengths": "of noises, from 1 (mild) to 5",
        "permuted": "modalities, one at a time: each test sample has another's item",
        "additive": "whether predictions are replaced by their additive projection",
        "training": "whether the training and validation parts are corrupted, too",
    },
    Missing: {
        "modality": "lost together",
        "rate": "shares of the samples that lose them",
    },
    TimingBlock: {
        "scenarios": "the first is the one in the table of cells",
        "batch_sizes": "of the scenario `offline`",
        "devices": "unless given, that of the run",
        "precisions": "of torch networks",
        "compile": "of torch networks",
        "min_repeats": "calls at least",
        "min_seconds": "seconds of measured calls at least",
        "max_seconds": "seconds after which no further call begins",
        "warmup": "calls before the first that counts, besides the cold one",
        "stages": "whether stages are told apart",
        "server_rate": "queries per second, or the highest rate that keeps the bound",
        "p99_bound_ms": "the bound of the 99th percentile, in milliseconds",
        "end_to_end": "which combinations are measured whole, or how many",
    },
    ResourcesBlock: {
        "embed": "encode items, or fit and encode",
        "align": "fit an alignment",
        "fuse": "fit a fusion and apply it",
        "distances": "measure distances for kernel heads",
        "fit": "fit a head or a joint fusion, and predict",
        "cross_fit": "out-of-fold probabilities over inner folds",
        "corrupt": "corrupt items and encode them",
        "predict": "predict corrupted test samples",
        "decide": "fit and apply a decision-level fusion",
        "score": "compute metrics",
        "tune": "choose options on inner folds",
    },
    Needs: {
        "cpus": "processor cores",
        "gpus": "GPUs, or shares of one",
        "memory_gb": "GB of memory",
    },
}
"""What each key of a model's own means."""


def page() -> str:
    """Return the page, in Markdown.

    Raises
    ------
    ValueError
        A model has a key whose meaning is not told, or one is told that it does not have.
    """
    lines = [HEAD]
    for model, (heading, below) in SECTIONS.items():
        lines += ["", f"## {heading}", ""]
        if below:
            lines += [below, ""]
        lines += ["| key | value | default | what |", "|---|---|---|---|", *_rows(model)]
    return "\n".join(lines) + "\n"


def _rows(model: type[BaseModel]) -> Iterator[str]:
    own = [name for name in model.model_fields if name in inspect.get_annotations(model)]
    meanings = MEANINGS[model]
    if own != list(meanings):
        raise ValueError(f"{model.__name__} has the keys {own}, and told are {list(meanings)}")
    schema = model.model_json_schema()
    for name in own:
        field = model.model_fields[name]
        value = _value(schema["properties"][name])
        if any(map(_takes_one, (field.annotation, *field.metadata))):
            value += ", or one without brackets"
        yield f"| `{name}` | {value} | {_default(model, name)} | {meanings[name]} |"


def _default(model: type[BaseModel], name: str) -> str:
    field = model.model_fields[name]
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or isinstance(value, BaseModel) or value in ([], {}):
        return ""
    told = [v.use if isinstance(v, Use) else v for v in value] if isinstance(value, list) else value
    return f"`{json.dumps(told)}`"


def _takes_one(annotation: Any) -> bool:
    """Whether one value is taken for a list of one."""
    if isinstance(annotation, BeforeValidator):
        return annotation.func is as_list
    if getattr(annotation, "__origin__", None) in (list, dict):
        return False
    parts = (*get_args(annotation), *getattr(annotation, "__metadata__", ()))
    return any(map(_takes_one, parts))


def _value(schema: dict[str, Any]) -> str:
    """Say what a JSON schema allows."""
    if "$ref" in schema:
        named = schema["$ref"].rpartition("/")[2]
        heading = next(h for model, (h, _) in SECTIONS.items() if model.__name__ == named)
        text = f"`{heading}`" if heading.startswith("[") else heading[0].lower() + heading[1:]
        return f"[{text}](#{_slug(heading)})"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            told = [_value(s) for s in schema[several] if s.get("type") != "null"]
            return " or ".join(dict.fromkeys(told))
    sort = schema.get("type")
    if sort == "array":
        return f"list of {_value(schema['items'])}"
    if sort == "object":
        return f"table of {_value(_further(schema))}"
    if sort in ("integer", "number"):
        return f"{sort}{_bounds(schema)}"
    return str(sort or "anything")


def _further(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a table's values; that of anything, where none is told."""
    further = schema.get("additionalProperties")
    return further if isinstance(further, dict) else {}


def _bounds(schema: dict[str, Any]) -> str:
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    told = [f"{sign} {schema[key]:g}" for key, sign in signs.items() if key in schema]
    return " " + ", ".join(told) if told else ""


def _slug(heading: str) -> str:
    return "".join(c for c in heading.lower().replace(" ", "-") if c.isalnum() or c in "-_")


if __name__ == "__main__":
    sys.stdout.write(page())
