"""NVIDIA's management library, where the driver and nvidia-ml-py (the extra ``gpu``) are there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class UnavailableError(Exception):
    """A figure that cannot be read on this machine; the message says why."""


@contextmanager
def open_gpu(device: str) -> Iterator[tuple[Any, Any]]:
    """Give the module ``pynvml`` and its handle of a CUDA device, found by its UUID.

    NVML numbers all GPUs of the machine, CUDA those that ``CUDA_VISIBLE_DEVICES`` leaves.

    Parameters
    ----------
    device : str
        ``"cuda"`` or ``"cuda:N"``.

    Raises
    ------
    UnavailableError
        If the library, the driver or the GPU is not there, or the body's reading of it fails.
    """
    try:
        import pynvml
    except ImportError:
        raise UnavailableError("nvidia-ml-py is not installed (pip install mmbench[gpu])") from None
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise UnavailableError(f"NVML: {error}") from None
    try:
        import torch

        uuid = torch.cuda.get_device_properties(torch.device(device)).uuid
        yield pynvml, pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}")
    except pynvml.NVMLError as error:
        raise UnavailableError(f"NVML: {error}") from None
    finally:
        pynvml.nvmlShutdown()


def read(nvml: Any, call: str, *arguments: Any) -> Any:
    """Return what an NVML function returns, or None where GPU or driver do not support it."""
    try:
        return getattr(nvml, call)(*arguments)
    except (nvml.NVMLError, AttributeError):
        return None
