"""The matrix file's tables: ``[split]``, ``[tuning]``, ``[corruption]``, ``[timing]`` ..."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)


def as_list(value: Any) -> Any:
    """Return a list as it is, and anything else as a list of one."""
    return value if isinstance(value, list) else [value]


class Strict(BaseModel):
    """A table without keys of other names."""

    model_config = ConfigDict(extra="forbid")


class SplitBlock(Strict):
    """``[split]``: how samples are divided."""

    scheme: Literal["given", "kfold", "holdout"] | None = None
    folds: int = Field(default=5, ge=2)
    test: float = Field(default=0.2, gt=0, lt=1)
    validation: float = Field(default=0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _leaves_training(self) -> Self:
        if self.test + self.validation >= 1:
            raise ValueError("test and validation leave nothing to train on")
        return self


class TimingBlock(Strict):
    """``[timing]``: what serving costs, measured once the cells are done."""

    scenarios: Annotated[
        list[Literal["single-stream", "offline", "server"]], BeforeValidator(as_list)
    ] = Field(default=["single-stream"], min_length=1)
    batch_sizes: Annotated[list[Annotated[int, Field(ge=1)]], BeforeValidator(as_list)] = Field(
        default=[32], min_length=1
    )
    devices: Annotated[list[Literal["cpu", "cuda"]], BeforeValidator(as_list)] | None = None
    precisions: Annotated[list[Literal["fp32", "bf16", "fp16"]], BeforeValidator(as_list)] = Field(
        default=["fp32"], min_length=1
    )
    compile: Annotated[list[Literal["none", "torch.compile"]], BeforeValidator(as_list)] = Field(
        default=["none"], min_length=1
    )
    min_repeats: int = Field(default=500, ge=1)
    min_seconds: float = Field(default=1.0, ge=0)
    max_seconds: float = Field(default=10.0, gt=0)
    warmup: int = Field(default=10, ge=0)
    stages: bool = True
    server_rate: Literal["search"] | Annotated[float, Field(gt=0)] = "search"
    p99_bound_ms: float = Field(default=100.0, gt=0)
    end_to_end: Literal["best", "all"] | Annotated[int, Field(ge=0)] = "best"

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds is more than max_seconds ({self.max_seconds:g})")
        if self.server_rate != "search" and self.server_rate * self.max_seconds < 1:
            raise ValueError("at server_rate, no query is due within max_seconds")
        return self


class Range(Strict):
    """The values between two numbers that an option may take.

    Whole numbers where both ends are. Drawn evenly, or evenly in the logarithm; a grid takes
    ``steps`` of them, ends included.
    """

    low: int | float
    high: int | float
    log: bool = False
    steps: int | None = Field(default=None, ge=2)

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if not self.low < self.high:
            raise ValueError("low is not below high")
        if self.log and self.low <= 0:
            raise ValueError("log = true needs low above 0")
        return self


Values = Annotated[
    Annotated[list[Any], Field(min_length=1), Tag("[values]")] | Annotated[Range, Tag("[range]")],
    Discriminator(lambda given: "[range]" if isinstance(given, dict | Range) else "[values]"),
]
"""What an option is tuned over: values, or a range."""


class TuningBlock(Strict):
    """``[tuning]``: which options of heads and fusions are chosen, on the training part alone."""

    method: Literal["grid", "random", "halving"] = "grid"
    metric: str | None = None
    budget: int | None = Field(default=None, ge=1)
    heads: dict[str, Annotated[dict[str, Values], Field(min_length=1)]] = {}
    fusions: dict[str, Annotated[dict[str, Values], Field(min_length=1)]] = {}

    @model_validator(mode="after")
    def _can_be_tried(self) -> Self:
        if not self.heads and not self.fusions:
            raise ValueError("nothing to tune; give [tuning.heads.NAME] or [tuning.fusions.NAME]")
        if self.method != "grid":
            return self
        if self.budget is not None:
            raise ValueError("budget is for random and halving; a grid is tried whole")
        for sort, plugins in (("heads", self.heads), ("fusions", self.fusions)):
            for name, options in plugins.items():
                for option, values in options.items():
                    if isinstance(values, Range) and values.steps is None:
                        raise ValueError(
                            f"{sort}.{name}.{option} has no steps, which method = 'grid' needs"
                        )
        return self


Share = Annotated[float, Field(gt=0, le=1)]
Names = Annotated[list[str], BeforeValidator(as_list), Field(min_length=1)]


class Missing(Strict):
    """A modality that samples lose, and the share of samples that do."""

    modality: Names
    rate: Annotated[list[Share], BeforeValidator(as_list), Field(min_length=1)] = [1.0]


class CorruptionBlock(Strict):
    """``[corruption]``: test items made worse or mixed up, and where asked those trained on."""

    missing: Literal["all"] | Annotated[list[Missing], BeforeValidator(as_list)] = []
    noise: dict[str, Literal["all"] | Names] = {}
    strengths: Annotated[
        list[Annotated[int, Field(ge=1, le=5)]], BeforeValidator(as_list), Field(min_length=1)
    ] = [1, 2, 3, 4, 5]
    permuted: Literal["all"] | Names = []
    additive: bool = False
    training: Annotated[list[bool], BeforeValidator(as_list), Field(min_length=1)] = [False]

    @model_validator(mode="after")
    def _corrupts(self) -> Self:
        if not (self.missing or self.noise or self.permuted or self.additive):
            raise ValueError(
                "nothing to corrupt; give missing, permuted, additive or [corruption.noise]"
            )
        return self


class Needs(Strict):
    """What each job of a kind needs of the node that it is done on; the rest the runner says."""

    cpus: float | None = Field(default=None, gt=0)
    gpus: float | None = Field(default=None, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)


class ResourcesBlock(Strict):
    """``[resources]``: by kind of job, for runners that place jobs by what they need."""

    embed: Needs = Needs()
    align: Needs = Needs()
    fuse: Needs = Needs()
    distances: Needs = Needs()
    fit: Needs = Needs()
    cross_fit: Needs = Needs()
    corrupt: Needs = Needs()
    predict: Needs = Needs()
    decide: Needs = Needs()
    score: Needs = Needs()
    tune: Needs = Needs()
