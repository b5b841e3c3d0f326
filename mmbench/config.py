"""The matrix file, read and validated: what stands in it, before any plugin is asked."""

from __future__ import annotations

import copy
import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mmbench.blocks import (
    CorruptionBlock,
    ResourcesBlock,
    SplitBlock,
    Strict,
    TimingBlock,
    TuningBlock,
    as_list,
)
from mmbench.errors import UserError, did_you_mean

Pooling = Literal["mean", "max"]
MissingPolicy = Literal["mean", "zero", "drop-modality", "skip"]
Finetune = Literal["frozen", "lora", "full"]
Calibration = Literal["none", "temperature"]

FROZEN = "frozen"
"""Of `Finetune`: encoders are not trained with the fusion, and embeddings come from the store."""


def _as_entry(value: Any) -> Any:
    return {"use": value} if isinstance(value, str) else value


class Use(BaseModel):
    """One entry of a list of plugins: a bare name, or a table with ``use`` and options."""

    model_config = ConfigDict(extra="allow")
    use: str = Field(min_length=1)

    @property
    def options(self) -> dict[str, Any]:
        """The options beside the harness's own keys."""
        return dict(self.model_extra or {})


class EncoderUse(Use):
    """An encoder's entry, with the harness's own keys.

    ``standardise`` overrides what the encoder registered; ``over_time`` says how an encoder of
    images pools those of a video's frames.
    """

    standardise: bool | None = None
    over_time: Annotated[list[Pooling], BeforeValidator(as_list), Field(min_length=1)] | None = None


class HeadUse(Use):
    """A head's entry, with the harness's own key.

    ``calibrate`` says whether the head's own probabilities are calibrated.
    """

    calibrate: Annotated[list[Calibration], BeforeValidator(as_list)] = Field(
        default=["none"], min_length=1
    )


class DatasetBlock(Use):
    """One ``[[datasets]]`` block."""

    name: str | None = Field(default=None, min_length=1)


Entries = Annotated[list[Annotated[Use, BeforeValidator(_as_entry)]], BeforeValidator(as_list)]
EncoderEntries = Annotated[
    list[Annotated[EncoderUse, BeforeValidator(_as_entry)]],
    BeforeValidator(as_list),
    Field(min_length=1),
]
HeadEntries = Annotated[
    list[Annotated[HeadUse, BeforeValidator(_as_entry)]], BeforeValidator(as_list)
]


class MatrixFile(Strict):
    """The whole matrix file."""

    name: str = Field(min_length=1, pattern=r"^[^/\\\x00-\x1f]+$")
    seeds: list[Annotated[int, Field(ge=0)]] = Field(default=[0], min_length=1)
    datasets: list[DatasetBlock] = Field(min_length=1)
    encoders: dict[str, EncoderEntries]
    alignments: Entries = Field(default_factory=lambda: [Use(use="none")])
    fusions: Entries = Field(default_factory=list)
    heads: HeadEntries = Field(min_length=1)
    metrics: Entries = Field(default_factory=list)
    metric: str = "accuracy"
    subsets: Literal["all"] | list[Annotated[list[str], Field(min_length=1)]] | None = None
    pair: Literal["product", "zip"] = "product"
    finetune: Annotated[list[Finetune], BeforeValidator(as_list)] = Field(
        default=["frozen"], min_length=1
    )
    missing: Annotated[list[MissingPolicy], BeforeValidator(as_list)] = Field(
        default=["mean"], min_length=1
    )
    train_sizes: Annotated[list[Annotated[float, Field(gt=0, le=1)]], BeforeValidator(as_list)] = (
        Field(default=[1.0], min_length=1)
    )
    threads: int = Field(default=1, ge=1)
    plugins: list[str] = Field(default_factory=list)
    exclude: list[dict[str, Any]] = Field(default_factory=list)
    split: SplitBlock = Field(default_factory=SplitBlock)
    tuning: TuningBlock | None = None
    corruption: CorruptionBlock | None = None
    timing: TimingBlock | None = None
    resources: ResourcesBlock = Field(default_factory=ResourcesBlock)


@dataclass(frozen=True)
class Source:
    """A matrix with where it came from."""

    matrix: MatrixFile
    raw: dict[str, Any]
    """The tables as read, ``${VARIABLES}`` expanded and ``--set`` applied."""
    label: str
    """The file's name, for messages."""
    folder: Path
    """What relative paths are relative to."""

    def name(self, limit: int | None = None) -> str:
        """Return the name of its runs, ``--limit`` included."""
        return self.matrix.name if limit is None else f"{self.matrix.name}-limit{limit}"


def read_matrix(file: str | Path | Mapping[str, Any], overrides: Iterable[str] = ()) -> Source:
    """Read and validate a matrix.

    Parameters
    ----------
    file : path or mapping
        A TOML file, or its content as a mapping (paths are then relative to the working folder).
    overrides : iterable of str
        ``key=value`` pairs; keys are dotted paths, values TOML (or bare strings).

    Raises
    ------
    UserError
        The file cannot be read or parsed, or a key is unknown, misplaced or wrong.
    """
    if isinstance(file, Mapping):
        raw, label, folder = copy.deepcopy(dict(file)), "matrix", Path.cwd()
    else:
        path = Path(file)
        raw, label, folder = _parse(path), path.name, path.resolve().parent
    for override in overrides:
        _override(raw, override)
    raw = _expand(raw, label, "")
    for message in _misplaced(raw):
        raise UserError(f"{label}: {message}")
    try:
        matrix = MatrixFile.model_validate(raw)
    except ValidationError as error:
        raise UserError(f"{label}: {_explain(error)}") from None
    return Source(matrix, raw, label, folder)


def _parse(path: Path) -> dict[str, Any]:
    if path.is_dir():
        raise UserError(f"{path}: is a folder; a matrix file (.toml) was expected")
    try:
        text = path.read_bytes().decode("utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        near = [p.name for p in path.parent.glob("*.toml")] if path.parent.is_dir() else []
        raise UserError(f"{path}: no such file{did_you_mean(path.name, near)}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a text file in UTF-8; TOML was expected") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None


def _override(raw: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UserError(f"--set {override}: expected key=value")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text
    *parents, last = key.split(".")
    table: Any = raw
    for part in parents:
        try:
            table = table[int(part)] if isinstance(table, list) else table.setdefault(part, {})
        except (IndexError, ValueError, AttributeError):
            raise UserError(f"--set {override}: there is no {part!r} in {key!r}") from None
    if isinstance(table, list) and last.isdigit() and int(last) < len(table):
        table[int(last)] = value
    elif isinstance(table, dict):
        table[last] = value
    else:
        raise UserError(f"--set {override}: there is no {last!r} in {key!r}")


def _expand(value: Any, label: str, key: str) -> Any:
    """Replace ``${VARIABLE}`` in all strings."""
    if isinstance(value, dict):
        return {k: _expand(v, label, f"{key}.{k}".lstrip(".")) for k, v in value.items()}
    if isinstance(value, list):
        return [_expand(v, label, f"{key}[{i}]") for i, v in enumerate(value)]
    if not isinstance(value, str):
        return value

    def lookup(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in os.environ:
            raise UserError(f"{label}: {key}: environment variable {name} is not set")
        return os.environ[name]

    return re.sub(r"\$\{(\w+)\}", lookup, value)


TOP_LEVEL = frozenset(MatrixFile.model_fields)
TABLES: dict[str, type[BaseModel]] = {
    "split": SplitBlock,
    "tuning": TuningBlock,
    "corruption": CorruptionBlock,
    "timing": TimingBlock,
    "resources": ResourcesBlock,
}
"""The tables that hold keys of their own."""


def _misplaced(raw: dict[str, Any]) -> Iterator[str]:
    """Find top-level keys that a table header above them has swallowed."""

    def told(key: str, table: str) -> str:
        return f"{key} stands under {table}; move it above the first [table]"

    datasets = raw.get("datasets")
    for block in datasets if isinstance(datasets, list) else []:
        if not isinstance(block, dict):
            continue
        for key in sorted((TOP_LEVEL - {"name"}) & block.keys()):
            if key != "split" or isinstance(block[key], dict):  # a dataset's split is a column
                yield told(key, "[[datasets]]")
        modalities = block.get("modalities")
        for key, value in modalities.items() if isinstance(modalities, dict) else ():
            if key in TOP_LEVEL and not isinstance(value, dict):
                yield told(key, "[datasets.modalities]")
    for table in ("encoders", *TABLES):
        fields = TABLES[table].model_fields if table in TABLES else {}
        content = raw.get(table)
        if not isinstance(content, dict):
            continue
        for key in content:
            if key in TOP_LEVEL and key not in fields and not _is_modality(raw, key):
                yield told(key, f"[{table}]")
    excluded = raw.get("exclude")
    for block in excluded if isinstance(excluded, list) else []:
        for key in sorted(TOP_LEVEL - {"missing"} & set(block if isinstance(block, dict) else ())):
            yield told(key, "[[exclude]]")


def _is_modality(raw: dict[str, Any], key: str) -> bool:
    datasets = raw.get("datasets")
    return any(
        key in (block.get("modalities") or {})
        for block in (datasets if isinstance(datasets, list) else [])
        if isinstance(block, dict) and isinstance(block.get("modalities"), dict)
    )


def _explain(error: ValidationError) -> str:
    """Tell the first problem in one line, with the nearest valid key; unknown keys come first."""
    problems = sorted(error.errors(), key=lambda p: p["type"] != "extra_forbidden")
    same_key = [p for p in problems if p["loc"][:1] == problems[0]["loc"][:1]]
    problem = max(same_key, key=lambda p: len(p["loc"]))  # of a union, the branch that got furthest
    location = _keys(problem["loc"])
    where = ""
    for part in location:
        where += f"[{part}]" if isinstance(part, int) else f".{part}"
    where, told = where.lstrip("."), 1
    if problem["type"] == "extra_forbidden":
        key = str(location[-1])
        text = f"unknown key {where!r}{did_you_mean(key, _table(location).model_fields)}"
    elif problem["type"] == "missing":
        text = f"key {where!r} is required"
    else:
        shown = repr(problem["input"])
        shown = shown if len(shown) < 80 else shown[:77] + "..."
        alike = [p["msg"] for p in problems if _keys(p["loc"]) == location]  # of a union
        text = f"{where} = {shown}: {'; or '.join(alike)}"
        told = len(alike)
    more = error.error_count() - told
    return text + (f" (and {more} more)" if more and problem["type"] != "extra_forbidden" else "")


def _table(location: list[int | str]) -> type[BaseModel]:
    """Return the table that a key stands in, or the nearest around it that is known."""
    table = TABLES.get(str(location[0]), MatrixFile)
    for part in location[1:-1]:
        field = table.model_fields.get(str(part))
        if field is not None and isinstance(field.annotation, type):
            table = field.annotation if issubclass(field.annotation, BaseModel) else table
    return table


def _keys(location: Iterable[int | str]) -> list[int | str]:
    """Return the keys and positions in pydantic's location, not its branches of unions."""
    return [part for part in location if isinstance(part, int) or not _is_branch(part)]


def _is_branch(part: str) -> bool:
    return "[" in part or part in ("literal", "str", "list", "constrained-int", "constrained-float")
