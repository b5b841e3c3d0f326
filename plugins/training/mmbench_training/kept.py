"""What is trained is kept on disk without pickles."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from torch.nn import Module

WEIGHTS, LEARNT = "network.safetensors", "learnt.json"


class Kept(ABC):
    """Saves and loads a trained network, and what else was learnt.

    Attributes
    ----------
    network_ : torch.nn.Module
        The trained network.
    learnt_ : dict
        What else was learnt, as JSON holds it.
    device : str
        Where the network is to be.
    """

    if TYPE_CHECKING:
        network_: Module
        learnt_: dict[str, Any]
        device: str

    @abstractmethod
    def build(self) -> Module:
        """Return the network with initial weights, from the options and ``learnt_``."""

    def save(self, folder: Path) -> None:
        """Write weights and what else was learnt."""
        from safetensors.torch import save_model

        save_model(self.network_, str(Path(folder) / WEIGHTS))
        (Path(folder) / LEARNT).write_text(json.dumps(self.learnt_), encoding="utf-8")

    def load(self, folder: Path) -> Self:
        """Read what `save` wrote, into an object of the same options."""
        from safetensors.torch import load_model

        self.learnt_ = json.loads((Path(folder) / LEARNT).read_text(encoding="utf-8"))
        self.network_ = self.build()
        load_model(self.network_, str(Path(folder) / WEIGHTS))
        self.network_.to(self.device).eval()
        return self
