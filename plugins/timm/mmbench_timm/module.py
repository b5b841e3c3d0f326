"""From a batch of prepared images to embeddings: the network and what is taken of it."""

from __future__ import annotations

from typing import Any

import torch


class ImageModule(torch.nn.Module):
    """A network of timm without its classifier, and which of its features are the embedding.

    Parameters
    ----------
    network : torch.nn.Module
        The network.
    output : {"pooled", "class-token", "mean-token"}
        See `mmbench_timm.encoder.TimmEncoder`.
    name : str
        What errors call the network.
    """

    def __init__(self, network: torch.nn.Module, output: str, name: str) -> None:
        super().__init__()
        self.network: Any = network  # timm's networks offer more than torch's base class says
        self.output = output
        self.name = name

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Embed prepared images.

        Parameters
        ----------
        batch : Tensor of any floating type, shape (n, 3, height, width)
            On the network's device.

        Returns
        -------
        Tensor of float32, shape (n, d)
        """
        batch = self._typed(batch)
        if self.output == "pooled":
            embedded: torch.Tensor = self.network(batch)
        elif self.output == "class-token":
            embedded = self.network.forward_features(batch)[:, 0]
        else:
            embedded = self._places(batch).mean(dim=1)
        return embedded.float()

    def places(self, batch: torch.Tensor) -> torch.Tensor:
        """Return an image's last features at its patches or places, row by row.

        Parameters
        ----------
        batch : Tensor of any floating type, shape (n, 3, height, width)
            On the network's device.

        Returns
        -------
        Tensor of float32, shape (n, t, d)
            Without those at a class token and its like.

        Raises
        ------
        ValueError
            If the network's last features are no single map.
        """
        return self._places(self._typed(batch)).float()

    def _typed(self, batch: torch.Tensor) -> torch.Tensor:
        return batch.to(next(self.network.parameters()).dtype)

    def _places(self, batch: torch.Tensor) -> torch.Tensor:
        features = self.network.forward_features(batch)
        if getattr(features, "ndim", 0) not in (3, 4):
            raise ValueError(f"{self.name!r} has no single map of last features, but pooled ones")
        if features.ndim == 3:  # (n, tokens, d), those before the patches first
            patches: torch.Tensor = features[:, getattr(self.network, "num_prefix_tokens", 0) :]
            return patches
        channels_last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        listed: torch.Tensor = (features if channels_last else features.movedim(1, 3)).flatten(1, 2)
        return listed
