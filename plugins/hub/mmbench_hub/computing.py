"""Frozen networks on the CPU: their linear layers by oneDNN.

Imports torch: only for what has loaded a network.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from mmbench_hub.batches import TOKENS

LIMIT = 2 << 30
"""Bytes of weights that `OneDNN` holds a second time, at most."""


def computing(device: str) -> AbstractContextManager[Any]:
    """Return what frozen networks are computed in: on the CPU `OneDNN`, where it is."""
    there: bool = torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return OneDNN() if there and device == "cpu" else nullcontext()


class OneDNN(TorchFunctionMode):
    """While it is entered, linear layers in float32 on the CPU are computed by oneDNN.

    PyTorch gives them to MKL, which does not use all of the vector units of processors of other
    makers. Results are the same up to rounding. Each weight is laid out once in blocks as oneDNN
    wants it, and so held a second time, up to `LIMIT` in all; what is beyond that, or needs a
    gradient, is computed as ever. Changed weights are laid out anew.
    """

    def __init__(self) -> None:
        super().__init__()
        self._packed: dict[int, tuple[torch.Tensor, tuple[int, int], torch.Tensor]] = {}
        self._held = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compute a linear layer by oneDNN, and everything else as it is."""
        if func is torch.nn.functional.linear and not kwargs and len(args) > 1:
            inputs, weight, bias = (*args, None)[:3]
            if (packed := self._laid_out(inputs, weight)) is not None:
                linear = torch.ops.mkldnn._linear_pointwise
                return linear(inputs, packed, bias, "none", [], "")
        return func(*args, **(kwargs or {}))

    def _laid_out(self, inputs: torch.Tensor, weight: torch.Tensor) -> torch.Tensor | None:
        """Return a weight as oneDNN wants it; None where that is not to be used."""
        if (
            torch.is_grad_enabled()
            or not isinstance(weight, torch.nn.Parameter)
            or weight.is_inference()  # changes are not counted
            or not (inputs.dtype == weight.dtype == torch.float32)
            or inputs.ndim < 2
            or not inputs.numel()
        ):
            return None
        state = (weight.data_ptr(), weight._version)
        known = self._packed.get(id(weight))
        if known is not None and known[1] == state:
            return known[2]
        if known is None:
            if self._held + weight.nbytes > LIMIT:
                return None
            self._held += weight.nbytes
        packed: torch.Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), TOKENS)
        self._packed[id(weight)] = weight, state, packed  # the weight, so that its id stays its own
        return packed
