"""Networks laid out for a CPU: the same weights and results up to rounding, in less time."""

from __future__ import annotations

from typing import Any

import torch

FEWEST_ROWS = 128
"""Below, what a convolution is set up with costs more than it saves."""


class PointwiseLinear(torch.nn.Linear):
    """A linear layer computed as a convolution of one pixel.

    Torch gives float32 products to MKL, which uses half of the vector width of CPUs that are not
    Intel's, and convolutions to oneDNN, which uses all of it.
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Return ``input @ weight.T + bias``, shape (..., out_features)."""
        if input.numel() < FEWEST_ROWS * self.in_features:
            return super().forward(input)
        pixels = input.reshape(1, 1, -1, self.in_features).permute(0, 3, 1, 2)
        # A kernel of one pixel has nothing to dilate, but torch leaves undilated ones of a single
        # image to MKL.
        out = torch.nn.functional.conv2d(
            pixels, self.weight[:, :, None, None], self.bias, dilation=2
        )
        return out.permute(0, 2, 3, 1).reshape(*input.shape[:-1], self.out_features)


def arrange(network: torch.nn.Module, kind: torch.dtype) -> None:
    """Have a network compute on a CPU in the way that is fastest there, in place.

    Convolutions get their weights with the channels last. In float32 linear layers become
    `PointwiseLinear`; in bfloat16 attention is computed by plain products of matrices, for which
    oneDNN has code of that precision.

    Parameters
    ----------
    network : torch.nn.Module
        On the CPU.
    kind : torch.dtype
        What it computes in.
    """
    network.to(memory_format=torch.channels_last)
    layer: Any  # fused_attn is timm's
    for layer in network.modules():
        if kind is torch.float32 and type(layer) is torch.nn.Linear:
            layer.__class__ = PointwiseLinear
        if kind is torch.bfloat16 and getattr(layer, "fused_attn", False) is True:
            layer.fused_attn = False
