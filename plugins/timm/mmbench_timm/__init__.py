"""Any image network of timm as an encoder, frozen or fine-tuned."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_encoders(register: Callable[..., None]) -> None:
    """Register the encoder; torch and timm are imported when one is built."""
    register(
        "timm",
        "mmbench_timm.encoder:TimmEncoder",
        kind="image",
        finetune=True,
        sequences=True,
        summary="pooled features of any timm network, pretrained or random",
    )
