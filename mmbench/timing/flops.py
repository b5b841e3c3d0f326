"""Parameters, floating-point operations, and the share of a device's peak that is reached."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_DEPTH = 5

_PEAKS: Mapping[str, Mapping[str, float]] = {
    # Device as torch names it: dense TFLOP/s. fp32 is without tensor cores; bf16 and fp16
    # accumulate in fp32. Figures that a data sheet gives "with sparsity" are halved here.
    # H200 data sheet, SXM
    "NVIDIA H200": {"fp32": 67, "tf32": 494.5, "bf16": 989.5, "fp16": 989.5},
    # H100 data sheet, SXM and PCIe
    "NVIDIA H100 80GB HBM3": {"fp32": 67, "tf32": 494.5, "bf16": 989.5, "fp16": 989.5},
    "NVIDIA H100 PCIe": {"fp32": 51, "tf32": 378, "bf16": 756.5, "fp16": 756.5},
    # A100 data sheet
    r"(NVIDIA )?A100-(SXM4|PCIE)-\d+GB|NVIDIA A100 80GB PCIe": {
        "fp32": 19.5, "tf32": 156, "bf16": 312, "fp16": 312,
    },
    # L40S, L4, A10 and T4 data sheets
    "NVIDIA L40S": {"fp32": 91.6, "tf32": 183, "bf16": 362.05, "fp16": 362.05},
    "NVIDIA L4": {"fp32": 30.3, "tf32": 60, "bf16": 121, "fp16": 121},
    "NVIDIA A10": {"fp32": 31.2, "tf32": 62.5, "bf16": 125, "fp16": 125},
    "(NVIDIA |Tesla )?T4": {"fp32": 8.1, "fp16": 65},
    # V100 data sheet, SXM2
    r"(NVIDIA |Tesla )?V100-SXM2-\d+GB": {"fp32": 15.7, "fp16": 125},
    # Ada and Ampere GA102 GPU architecture white papers, appendices A
    "(NVIDIA )?GeForce RTX 4090": {"fp32": 82.6, "tf32": 82.6, "bf16": 165.2, "fp16": 165.2},
    "(NVIDIA )?GeForce RTX 3090": {"fp32": 35.6, "tf32": 35.6, "bf16": 71, "fp16": 71},
}  # fmt: skip


def modules_in(thing: Any) -> list[torch.nn.Module]:
    """Return the torch modules that an object, a function or a collection holds.

    Attributes, items, bound objects and enclosed variables are followed five levels deep, but
    not into modules, whose parts belong to them.
    """
    import sys

    loaded = sys.modules.get("torch")
    if loaded is None:  # then nothing here can be a module
        return []
    found: list[torch.nn.Module] = []
    seen: set[int] = set()
    waiting = deque([(thing, 0)])
    while waiting:
        value, depth = waiting.popleft()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, loaded.nn.Module):
            found.append(value)
        elif depth < _DEPTH:
            waiting.extend((part, depth + 1) for part in _parts(value))
    return found


def networks_in(thing: Any) -> list[torch.nn.Module]:
    """Return the torch modules in an object that have parameters: no mere transforms of images."""
    return [module for module in modules_in(thing) if next(module.parameters(), None) is not None]


def parameters(thing: Any) -> int | None:
    """Return how many parameters the torch modules in an object have; None without modules.

    A parameter that several share counts once.
    """
    modules = modules_in(thing)
    if not modules:
        return None
    distinct = {id(p): p.numel() for module in modules for p in module.parameters()}
    return sum(distinct.values())


def flops_per_sample(call: Callable[[], object], samples: int) -> float | None:
    """Return the floating-point operations that a call spends on each sample.

    Counted are torch's matrix products, convolutions and attention (`torch.utils.flop_counter`;
    a multiplication and an addition are two operations), not elementwise work, and not what
    runs outside of torch or in compiled graphs: give it the network as it was before
    torch.compile.

    Parameters
    ----------
    call : callable
        Processes ``samples`` samples.
    samples : int

    Returns
    -------
    float or None
        None where torch is not installed or nothing was counted.
    """
    try:
        from torch.utils.flop_counter import FlopCounterMode
    except ImportError:
        call()
        return None
    with FlopCounterMode(display=False) as counter:
        call()
    total = counter.get_total_flops()
    return total / samples if total else None


def peak_flops(device_name: str, precision: str) -> float | None:
    """Return the dense peak of a GPU in operations per second, by its vendor's data sheet.

    Parameters
    ----------
    device_name : str
        As `torch.cuda.get_device_name` gives it.
    precision : str
        ``"fp32"``, ``"tf32"``, ``"bf16"`` or ``"fp16"``. Where torch may use TF32 for float32
        matrix products, ``"tf32"`` is the one to ask for.

    Returns
    -------
    float or None
        None for a processor, a slice of a GPU (MIG), a GPU that is not in the table, or a
        precision that it has no units for.
    """
    for name, peaks in _PEAKS.items():
        if re.fullmatch(name, device_name):
            return 1e12 * peaks[precision] if precision in peaks else None
    return None


def utilisation(flops: float, throughput: float, peak: float) -> float:
    """Return the share of the peak that is reached ("model FLOPs utilisation").

    Parameters
    ----------
    flops : float
        Operations per sample.
    throughput : float
        Samples per second.
    peak : float
        Operations per second.

    Notes
    -----
    Chowdhery et al. 2022, "PaLM: Scaling Language Modeling with Pathways", appendix B.
    """
    return flops * throughput / peak


def _parts(value: Any) -> Iterator[Any]:
    """Yield what an object holds."""
    if isinstance(value, Mapping):
        yield from value.values()
    elif isinstance(value, list | tuple | set | frozenset):
        yield from value
    elif isinstance(value, MethodType):
        yield value.__self__
    elif isinstance(value, FunctionType):
        for cell in value.__closure__ or ():
            with suppress(ValueError):  # not filled yet
                yield cell.cell_contents
    elif isinstance(value, partial):
        yield from (value.func, value.args, value.keywords)
    else:
        yield from getattr(value, "__dict__", {}).values()
