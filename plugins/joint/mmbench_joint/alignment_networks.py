"""What the alignments of this plugin train. Imports torch: only for what trains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import log
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss, normalize

LARGEST_SCALE = 100.0
"""What similarities are multiplied by at most, as in Radford et al. 2021."""


def perceptron(columns: int, hidden: int, width: int, dropout: float = 0.0) -> nn.Sequential:
    """Return dropout and a linear layer, or one hidden layer with ReLU where ``hidden`` is not 0.

    Parameters
    ----------
    columns, width : int
        Of what goes in, (n, columns), and of what comes out, (n, width).
    hidden : int
        Width of the hidden layer; 0 for none.
    dropout : float
        Share of the values that go in set to 0 in training.
    """
    layers: list[nn.Module] = [nn.Dropout(dropout)]
    if hidden:
        layers += [nn.Linear(columns, hidden), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(hidden or columns, width))


def info_nce(codes: Sequence[Tensor], scale: Tensor | float) -> Tensor:
    """Return InfoNCE, both ways, as the mean over all pairs of modalities.

    Of each code, the partner is told from the codes of all samples of the batch by the softmax
    of scaled inner products.

    Parameters
    ----------
    codes : sequence of Tensor, shape (n, width)
        By modality, of norm 1; row i of each belongs to sample i.
    scale : Tensor or float
        The inverse of the temperature.

    Returns
    -------
    Tensor, shape ()
        In nats.

    References
    ----------
    van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding",
    2018; both ways: Radford et al., "Learning transferable visual models from natural language
    supervision", ICML 2021.
    """
    partners = torch.arange(len(codes[0]), device=codes[0].device)
    losses = []
    for one, other in combinations(codes, 2):
        similarities = scale * one @ other.T
        losses += [cross_entropy(s, partners) for s in (similarities, similarities.T)]
    return torch.stack(losses).mean()


class Reversal(torch.autograd.Function):
    """The identity, whose gradient is multiplied by ``-strength``.

    References
    ----------
    Ganin et al., "Domain-adversarial training of neural networks", Journal of Machine Learning
    Research 17(59), 2016.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, strength: float) -> Tensor:
        """Return the values."""
        ctx.strength = strength
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        """Return the gradient reversed."""
        return -ctx.strength * gradient, None


class Projections(nn.Module):
    """A projection of each modality into one space.

    Parameters
    ----------
    columns : sequence of int
        Of each modality.
    width, hidden : int
        Columns of the space; width of the hidden layer, or 0.
    dropout : float
        Of the inputs.
    """

    def __init__(self, columns: Sequence[int], width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.columns = list(columns)
        self.projections = nn.ModuleList(
            perceptron(count, hidden, width, dropout) for count in columns
        )

    def parts(self, inputs: Tensor) -> Sequence[Tensor]:
        """Return the modalities of inputs that have them side by side, (n, sum of columns)."""
        return torch.split(inputs, self.columns, dim=1)

    def embed(self, inputs: Tensor) -> list[Tensor]:
        """Return the codes (n, width) of each modality."""
        pairs = zip(self.projections, self.parts(inputs), strict=True)
        return [project(part) for project, part in pairs]


class Contrast(Projections):
    """Projections of norm 1 whose loss is InfoNCE.

    Parameters
    ----------
    temperature : float
        To begin with.
    learn_temperature : bool
        Whether it is a parameter.
    **projections
        As of `Projections`.
    """

    def __init__(self, temperature: float, learn_temperature: bool, **projections: Any) -> None:
        super().__init__(**projections)
        self.log_scale = nn.Parameter(
            torch.tensor(-log(temperature)), requires_grad=learn_temperature
        )

    def embed(self, inputs: Tensor) -> list[Tensor]:
        """Return the codes (n, width) of each modality, of norm 1."""
        return [normalize(code, dim=1) for code in super().embed(inputs)]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the loss of a batch; the temperature is first brought into its bounds."""
        with torch.no_grad():
            self.log_scale.clamp_(max=log(LARGEST_SCALE))
        return info_nce(self.embed(inputs), self.log_scale.exp())


class Rebuilding(Projections):
    """Projections with a decoder for each modality.

    Codes pass a batch normalisation without parameters, all modalities together, so that they keep
    one scale and yet may differ between modalities.
    """

    def __init__(self, columns: Sequence[int], width: int, hidden: int, dropout: float) -> None:
        super().__init__(columns, width, hidden, dropout)
        self.standardise = nn.BatchNorm1d(width, affine=False)
        self.decoders = nn.ModuleList(perceptron(width, hidden, count) for count in columns)

    def embed(self, inputs: Tensor) -> list[Tensor]:
        """Return the codes (n, width) of each modality."""
        codes = self.standardise(torch.cat(super().embed(inputs)))
        return list(codes.chunk(len(self.columns)))


class Confusion(Rebuilding):
    """Autoencoders of which a discriminator must not tell the modality by the code.

    Parameters
    ----------
    weight : float
        What the discriminator's gradient is multiplied by, and reversed, before it reaches the
        projections.
    discriminator : int
        Width of the discriminator's hidden layer, or 0.
    penalty : float
        Weight of the discriminator's mean squared gradient.
    **projections
        As of `Projections`.
    """

    def __init__(
        self, weight: float, discriminator: int, penalty: float, **projections: Any
    ) -> None:
        super().__init__(**projections)
        self.weight = weight
        self.penalty = penalty
        self.discriminator = perceptron(
            projections["width"], discriminator, len(projections["columns"])
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what is minimised; in evaluation mode, what the projections strive for.

        That is the error of reconstruction and ``weight`` times what the discriminator knows: by
        how many nats its cross-entropy is below that of a guess.
        """
        codes, parts = self.embed(inputs), self.parts(inputs)
        trios = zip(self.decoders, codes, parts, strict=True)
        rebuilt = torch.stack([mse_loss(decode(code), part) for decode, code, part in trios]).mean()
        modality = torch.arange(len(codes), device=inputs.device).repeat_interleave(len(inputs))
        together = torch.cat(codes)
        reversed_codes = cast(Tensor, Reversal.apply(together, self.weight))
        told = cross_entropy(self.discriminator(reversed_codes), modality)
        if self.training:
            return rebuilt + told + self.penalty * self._steepness(together.detach(), modality)
        return rebuilt + self.weight * (log(len(codes)) - told).clamp(min=0)

    def _steepness(self, codes: Tensor, modality: Tensor) -> Tensor:
        """Return the mean squared gradient, by the code, of the modality's log-probability."""
        codes.requires_grad_()
        surprise = cross_entropy(self.discriminator(codes), modality, reduction="sum")
        (slope,) = torch.autograd.grad(surprise, codes, create_graph=True)
        return slope.square().sum(dim=1).mean()


class Masking(Rebuilding):
    """Autoencoders that rebuild a hidden modality from the mean code of those that are visible.

    Parameters
    ----------
    visible : float
        Weight of the error of visible modalities; hidden ones have 1.
    modality_dropout : float
        Probability that, in training, a further modality of a sample is hidden.
    **projections
        As of `Projections`.
    """

    def __init__(self, visible: float, modality_dropout: float, **projections: Any) -> None:
        super().__init__(**projections)
        self.visible = visible
        self.modality_dropout = modality_dropout

    def rebuild(self, inputs: Tensor) -> list[Tensor]:
        """Return each modality (n, columns) as rebuilt from all others."""
        codes = torch.stack(self.embed(inputs))
        others = (codes.sum(dim=0) - codes) / (len(codes) - 1)
        return [decode(code) for decode, code in zip(self.decoders, others, strict=True)]

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mean squared error, every modality having been hidden in turn."""
        codes, parts = torch.stack(self.embed(inputs)), self.parts(inputs)
        losses = []
        for hidden in range(len(codes)):
            seen = self._seen(hidden, len(inputs), inputs.device)[:, :, None]
            shared = (seen * codes).sum(dim=0) / seen.sum(dim=0)
            errors = torch.stack(
                [
                    (decode(shared) - part).square().mean(dim=1, keepdim=True)
                    for decode, part in zip(self.decoders, parts, strict=True)
                ]
            )
            weights = torch.where(seen > 0, self.visible, 1.0)
            losses.append(((weights * errors).sum(dim=0) / weights.sum(dim=0)).mean())
        return torch.stack(losses).mean()

    def _seen(self, hidden: int, n: int, device: torch.device) -> Tensor:
        """Return which modalities are visible (modalities, n): 1 or 0, one at least."""
        draws = torch.ones(len(self.columns), n, device=device)
        if self.training and self.modality_dropout:
            draws = torch.rand(len(self.columns), n, device=device)
        draws[hidden] = -1.0
        seen = (draws >= self.modality_dropout).float()
        return seen.scatter(0, draws.argmax(dim=0, keepdim=True), 1.0)
