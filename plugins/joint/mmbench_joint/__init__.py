"""Networks that learn across modalities: joint fusions, and alignments without labels."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl

VECTORS: dict[str, object] = {"level": "joint", "finetune": True}
EVIDENCE: dict[str, object] = {**VECTORS, "handles_missing": True}
TOKENS: dict[str, object] = {**EVIDENCE, "sequences": True}

FUSIONS = (
    ("mlp", "vectors:Mlp", VECTORS, "a multilayer perceptron on the embeddings side by side"),
    (
        "gated",
        "vectors:Gated",
        VECTORS,
        "gated multimodal units: how much of each modality, value by value (Arevalo et al. 2017)",
    ),
    (
        "low-rank-tensor",
        "vectors:LowRankTensor",
        VECTORS,
        "tensor fusion by a tensor of low rank (Liu et al. 2018)",
    ),
    (
        "attention",
        "tokens:Attention",
        TOKENS,
        "self-attention over the tokens of all modalities (Vaswani et al. 2017)",
    ),
    (
        "cross-transformer",
        "tokens:CrossTransformer",
        TOKENS,
        "each modality's tokens attend to each other's (Tsai et al. 2019)",
    ),
    (
        "convolution",
        "vectors:Convolution",
        VECTORS,
        "1-D convolutions over the stacked vectors of the modalities",
    ),
    (
        "film",
        "vectors:Film",
        VECTORS,
        "one modality scales and shifts what is made of the others (Perez et al. 2018)",
    ),
    (
        "multi-task",
        "decisions:MultiTask",
        VECTORS,
        "a loss for each modality and one for the fusion (Vielzeuf et al. 2018)",
    ),
    (
        "trusted",
        "decisions:Trusted",
        EVIDENCE,
        "the modalities' evidence, combined by Dempster's rule (Han et al. 2021)",
    ),
)
"""Name, where its class lies, flags and summary of each fusion."""

ALIGNMENTS = (
    (
        "contrastive",
        "contrastive:Contrastive",
        "one space where the modalities of a sample lie close (InfoNCE, Radford et al. 2021)",
    ),
    (
        "adversarial",
        "adversarial:Adversarial",
        "codes that do not tell their modality (gradient reversal, Ganin et al. 2016)",
    ),
    (
        "masked",
        "masked:Masked",
        "codes from which a masked modality is rebuilt by the others",
    ),
)
"""Name, where its class lies and summary of each alignment."""


@hookimpl
def mmbench_register_fusions(register: Callable[..., None]) -> None:
    """Register the joint fusions; the libraries they need are imported when one is built."""
    for name, target, flags, summary in FUSIONS:
        register(name, f"mmbench_joint.{target}", **flags, summary=summary)


@hookimpl
def mmbench_register_alignments(register: Callable[..., None]) -> None:
    """Register the alignments, all without labels."""
    for name, target, summary in ALIGNMENTS:
        register(name, f"mmbench_joint.{target}", summary=summary)
