"""Several classifiers at once, and opinions made of evidence. Imports torch: only for training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.distributions import Dirichlet, kl_divergence
from torch.nn.functional import one_hot, softplus

from mmbench_joint.batches import Batch
from mmbench_joint.layers import perceptron


class Decisions(nn.Module):
    """A hidden layer and a classifier for each modality, and one for all hidden layers together.

    Called, it returns logits (n, classes) of the fusion, and of each modality.
    """

    def __init__(
        self, widths: Sequence[int], classes: int, *, width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.hidden = nn.ModuleList(
            perceptron(columns, width, layers, dropout) for columns in widths
        )
        self.heads = nn.ModuleList(nn.Linear(width, classes) for _ in widths)
        self.joint = nn.Sequential(
            perceptron(len(widths) * width, width, 1, dropout), nn.Linear(width, classes)
        )

    def forward(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return logits (n, classes), those of the fusion first."""
        hidden = [h(x[:, 0]) for h, x in zip(self.hidden, batch["values"], strict=True)]
        single = [head(h) for head, h in zip(self.heads, hidden, strict=True)]
        return (self.joint(torch.cat(hidden, dim=1)), *single)


class Evidence(nn.Module):
    """A network for each modality that gives evidence, and its combination.

    Called, it returns parameters (n, classes) of Dirichlet distributions: those of the combination
    and of each modality, 1 throughout where a sample lacks it.

    Attributes
    ----------
    seen : int
        Samples that have passed in training.
    """

    def __init__(
        self, widths: Sequence[int], classes: int, *, width: int, layers: int, dropout: float
    ) -> None:
        super().__init__()
        self.networks = nn.ModuleList(
            nn.Sequential(perceptron(columns, width, layers, dropout), nn.Linear(width, classes))
            for columns in widths
        )
        self.seen = 0

    def forward(self, batch: Batch) -> tuple[Tensor, ...]:
        """Return Dirichlet parameters (n, classes), those of the combination first."""
        parts = zip(self.networks, batch["values"], batch["there"], strict=True)
        single = [1 + softplus(net(x[:, 0]).double()) * there[:, :1] for net, x, there in parts]
        combined = Opinion.of(single[0])
        for alpha in single[1:]:
            combined = combined.with_(Opinion.of(alpha))
        if self.training:
            self.seen += len(single[0])
        return (combined.alpha(), *single)


class Opinion(NamedTuple):
    """A subjective opinion: belief in each class, and how much is left open; they sum to 1."""

    belief: Tensor
    """(n, classes)"""
    uncertainty: Tensor
    """(n, 1)"""

    @classmethod
    def of(cls, alpha: Tensor) -> Opinion:
        """Return the opinion of a Dirichlet distribution: b = (α - 1) / S, u = K / S, S = Σα."""
        strength = alpha.sum(dim=1, keepdim=True)
        return cls((alpha - 1) / strength, alpha.shape[1] / strength)

    def with_(self, other: Opinion) -> Opinion:
        """Return both combined by the reduced Dempster rule.

        b = (b₁b₂ + b₁u₂ + b₂u₁) / (1 - C) and u = u₁u₂ / (1 - C), C the conflict, what the two
        believe of different classes. As all sums to 1, 1 - C is the sum of the numerators.
        """
        (b1, u1), (b2, u2) = self, other
        belief, uncertainty = b1 * b2 + b1 * u2 + b2 * u1, u1 * u2
        agreement = belief.sum(dim=1, keepdim=True) + uncertainty
        return Opinion(belief / agreement, uncertainty / agreement)

    def alpha(self) -> Tensor:
        """Return the Dirichlet distribution's parameters: α = b·S + 1, S = K / u."""
        return self.belief * (self.belief.shape[1] / self.uncertainty) + 1


def evidential_loss(alpha: Tensor, labels: Tensor, smoothing: float, weight: float) -> Tensor:
    """Return the loss of each sample (n,), given Dirichlet parameters (n, classes).

    The expected cross-entropy Σ y·(ψ(S) - ψ(α)), and ``weight`` times the divergence of the
    distribution from the uniform one, the evidence for the true class left out.

    Parameters
    ----------
    alpha : Tensor
    labels : Tensor of int64, shape (n,)
    smoothing : float
        Share of y that is spread over all classes.
    weight : float
    """
    truth = one_hot(labels, alpha.shape[1]).to(alpha)
    target = (1 - smoothing) * truth + smoothing / alpha.shape[1]
    strength = alpha.sum(dim=1, keepdim=True)
    expected = (target * (torch.digamma(strength) - torch.digamma(alpha))).sum(dim=1)
    if not weight:
        return expected
    misleading = truth + (1 - truth) * alpha
    uniform = Dirichlet(torch.ones_like(alpha))
    return expected + weight * kl_divergence(Dirichlet(misleading), uniform)
