"""Where a model comes from, and how it is read: a folder, or a repository of the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from mmbench_hub import cause, content, pinned

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "bf16", "fp16"]

UNUSED = ("pooler", "masked_spec_embed")
"""Parts of names of weights that many checkpoints lack: the pooler's, and one of training's."""


@dataclass(frozen=True)
class Checkpoint:
    """A model of transformers, read or drawn at random.

    Parameters
    ----------
    model : str, optional
        A repository of the Hugging Face hub.
    folder : Path, optional
        A folder that ``save_pretrained`` wrote.
    revision : str, optional
        Branch, tag or commit of ``model``.
    pretrained : bool
        Whether the weights are read, else drawn from the configuration's distribution.
    initialisation : int
        Seed of random weights.
    trust_remote_code : bool
        Whether code that the model brings along is run.

    Raises
    ------
    ValueError
        If not exactly one of ``model`` and ``folder`` is given, or a revision of a folder.
    """

    model: str | None = None
    folder: Path | None = None
    revision: str | None = None
    pretrained: bool = True
    initialisation: int = 0
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        if (self.model is None) == (self.folder is None):
            raise ValueError("give either model = 'NAME' or folder = 'FOLDER'")
        if self.revision is not None and self.model is None:
            raise ValueError("a revision is one of a hub model: give it with model = 'NAME'")
        if self.model is not None and Path(self.model).expanduser().is_dir():
            raise ValueError(f"model {self.model!r} is a folder here: give it as folder = 'FOLDER'")

    @classmethod
    def of(cls, options: dict[str, Any]) -> Self:
        """Return the checkpoint that an encoder's options name."""
        own = {field.name for field in fields(cls)}
        return cls(**{name: value for name, value in options.items() if name in own})

    @property
    def _named(self) -> str:
        """The hub model, with its revision where one is given."""
        return f"{self.model}@{self.revision}" if self.revision else str(self.model)

    def identity(self) -> str:
        """Return what tells these weights from others: seed, hash of the files or hub commit.

        A hub model that is not in the local cache is looked up on the hub; if it cannot be
        reached, the identity is the model's name and revision.

        Raises
        ------
        FileNotFoundError
            If the folder is not there.
        """
        origin = "pretrained" if self.pretrained else f"random {self.initialisation}"
        if self.model is None:
            assert self.folder is not None
            return f"{origin} {content(self.folder)}"
        try:
            return f"{origin} {pinned(self._named)}"
        except Exception:  # the cells themselves say that the hub cannot be reached
            return f"{origin} {self._named}"

    def facts(self) -> dict[str, str]:
        """Return what the table says: where the weights are from, and whether code came along."""
        weights = "random" if not self.pretrained else "pretrained"
        if self.pretrained and self.folder is not None:
            weights = self.folder.name
        return {"weights": weights} | ({"code": "remote"} if self.trust_remote_code else {})

    def network(self, precision: Precision, needed: Iterable[str] = ()) -> torch.nn.Module:
        """Return the model in evaluation mode, on the CPU.

        Parameters
        ----------
        precision : {"fp32", "bf16", "fp16"}
            What its weights are held and computed in.
        needed : iterable of str
            Of `UNUSED`, the weights that must not be missing.

        Raises
        ------
        FileNotFoundError
            If there is no such model: neither here nor, within reach, on the hub.
        ValueError
            If transformers cannot read it, or its weights are those of another model.
        """
        import torch
        from transformers import AutoConfig, AutoModel

        floats = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(self.initialisation)
            if not self.pretrained:
                config = self.read("configuration", AutoConfig.from_pretrained)
                code = self.trust_remote_code
                auto: Any = AutoModel  # untyped
                drawn = auto.from_config(config, trust_remote_code=code)
                network: torch.nn.Module = drawn.to(floats[precision]).eval()
                return network
            network, told = self.read(
                "model",
                AutoModel.from_pretrained,
                dtype=floats[precision],
                weights_only=True,
                output_loading_info=True,
            )
        spared = [part for part in UNUSED if part not in needed]
        missing = sorted(k for k in told["missing_keys"] if not any(part in k for part in spared))
        if missing:
            raise ValueError(
                f"{self.name}: {len(missing)} of the model's weights are not in the checkpoint, "
                f"{missing[0]!r} the first"
            )
        return network.eval()

    @property
    def name(self) -> str:
        """The model's name or folder."""
        return str(self.folder) if self.model is None else repr(self.model)

    def read(self, what: str, reader: Callable[..., Any], **options: Any) -> Any:
        """Call a ``from_pretrained`` of transformers for this checkpoint.

        Raises
        ------
        FileNotFoundError
            If there is no such folder, no ``config.json`` in it, or the hub is out of reach.
        ValueError
            If what lies in the folder cannot be read.
        """
        options = {**options, "trust_remote_code": self.trust_remote_code}
        if self.model is not None:
            return self._from_hub(what, reader, options)
        assert self.folder is not None
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder}: no such file or folder")
        if not (self.folder / "config.json").is_file():
            raise FileNotFoundError(
                f"{self.folder}: no config.json in it, so it is no model that save_pretrained wrote"
            )
        try:
            return reader(str(self.folder), local_files_only=True, **options)
        except Exception as error:
            raise ValueError(
                f"{self.folder}: no {what} that transformers can read ({cause(error)})"
            ) from error

    def _from_hub(self, what: str, reader: Callable[..., Any], options: dict[str, Any]) -> Any:
        """Read from the local hub cache, else from the hub, at one commit."""
        assert self.model is not None
        try:
            options["revision"] = pinned(self._named).partition("@")[2]
            try:
                return reader(self.model, local_files_only=True, **options)
            except (OSError, ValueError):
                return reader(self.model, **options)
        except Exception as error:
            raise FileNotFoundError(
                f"no {what} for {self.model!r}, neither in the hub cache nor from the hub "
                f"({cause(error)}); supply it by a cache that has it (HF_HOME) or "
                "folder = 'FOLDER'"
            ) from error
