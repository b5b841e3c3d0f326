"""Joint fusions of one vector per modality, trained by the cross-entropy of their logits."""

# Options are read from annotations, which are not postponed here.

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from mmbench_joint.fusion import NetworkFusion

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class Mlp(NetworkFusion):
    """A multilayer perceptron on the concatenated embeddings: early fusion, learnt.

    Hidden layers are linear with ReLU and dropout (Ngiam et al. 2011 call it a shallow shared
    representation where there is one).

    Parameters
    ----------
    layers : int, default 1
        Hidden layers.

    References
    ----------
    Ngiam et al., "Multimodal deep learning", ICML 2011.
    """

    layers: Annotated[int, Field(ge=1)] = 1

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.layers import Classifier, SideBySide

        body = SideBySide(self.learnt_["widths"], self.width, self.layers, self.dropout)
        return Classifier(body, self.width, self.learnt_["classes"])


@dataclass(kw_only=True, eq=False)
class Gated(NetworkFusion):
    """Gated multimodal units: gates say, value by value, how much of each modality is let through.

    hᵢ = tanh(Wᵢxᵢ) of each modality, zᵢ = σ(Vᵢ[x₁, ..., xₘ]) of all together, h = Σ zᵢ·hᵢ; of two
    modalities one gate and its complement, h = z·h₁ + (1 - z)·h₂ (both forms are the paper's; here
    linear maps have biases). Dropout and a linear layer to the classes follow.

    Parameters
    ----------
    width : int, default 64
        Columns of hᵢ and zᵢ.

    References
    ----------
    Arevalo, Solorio, Montes-y-Gómez and González, "Gated multimodal units for information
    fusion", ICLR 2017 workshop.
    """

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.layers import Classifier, GatedUnit

        body = GatedUnit(self.learnt_["widths"], self.width)
        return Classifier(body, self.width, self.learnt_["classes"], self.dropout)


@dataclass(kw_only=True, eq=False)
class LowRankTensor(NetworkFusion):
    """Low-rank multimodal fusion: tensor fusion without ever making the tensor.

    Each modality passes a hidden layer to zₘ. Tensor fusion maps the outer product of all [zₘ, 1]
    linearly to ``width`` values. Where the tensor of that map is a sum of ``rank`` outer products
    of factors Wₘᵣ, the map is Σᵣ Πₘ Wₘᵣ[zₘ, 1], products taken value by value: linear in the
    number of modalities. Dropout and a linear layer to the classes follow.

    Parameters
    ----------
    rank : int, default 4
    hidden : int, default 32
        Columns of zₘ. 0 for the embeddings themselves, whose products are soon learnt by heart
        where embeddings are wide.

    References
    ----------
    Liu et al., "Efficient low-rank multimodal fusion with modality-specific factors", ACL 2018.
    """

    rank: Annotated[int, Field(ge=1)] = 4
    hidden: Annotated[int, Field(ge=0)] = 32

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.layers import Classifier, EachFirst, LowRankProduct

        widths = self.learnt_["widths"]
        inner = [self.hidden or columns for columns in widths]
        body: Module = LowRankProduct(inner, self.width, self.rank)
        if self.hidden:
            body = EachFirst(widths, self.hidden, body, self.dropout)
        return Classifier(body, self.width, self.learnt_["classes"], self.dropout)


@dataclass(kw_only=True, eq=False)
class Convolution(NetworkFusion):
    """One-dimensional convolutions over the stacked vectors of the modalities.

    A linear map brings each modality to ``width`` columns; they are the channels of a signal of
    that length. Each convolution is followed by ReLU, dropout and a maximum over two neighbours,
    and a linear layer maps what is left to the classes. Neighbouring columns are what the maps
    learn them to be.

    Parameters
    ----------
    channels : int, default 16
        Of each convolution.
    kernel : int, default 3
        Columns that a convolution sees at once.
    layers : int, default 2

    References
    ----------
    Convolutions over a sequence: Waibel et al., "Phoneme recognition using time-delay neural
    networks", IEEE Transactions on Acoustics, Speech, and Signal Processing 37(3), 1989.
    """

    channels: Annotated[int, Field(ge=1)] = 16
    kernel: Annotated[int, Field(ge=1)] = 3
    layers: Annotated[int, Field(ge=1)] = 2

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.layers import Classifier, StackedConvolution

        body = StackedConvolution(
            self.learnt_["widths"],
            self.width,
            channels=self.channels,
            kernel=self.kernel,
            layers=self.layers,
            dropout=self.dropout,
        )
        return Classifier(body, body.columns, self.learnt_["classes"])


@dataclass(kw_only=True, eq=False)
class Film(NetworkFusion):
    """Feature-wise linear modulation: one modality scales and shifts what is made of the others.

    The other modalities, side by side, pass a hidden layer and then residual blocks
    h + ReLU((1 + γ)·f(h) + β), where γ and β are linear functions of the conditioning modality and
    f is two linear maps with ReLU between them and a layer normalisation without weights (the
    paper's blocks have convolutions and batch normalisation). A linear layer to the classes
    follows.

    Parameters
    ----------
    condition : str, optional
        The modality that conditions; without it, the dataset's last.
    blocks : int, default 2

    References
    ----------
    Perez, Strub, de Vries, Dumoulin and Courville, "FiLM: visual reasoning with a general
    conditioning layer", AAAI 2018.
    """

    condition: str | None = None
    blocks: Annotated[int, Field(ge=1)] = 2

    def build(self) -> "Module":
        """Return the network.

        Raises
        ------
        ValueError
            If ``condition`` is no modality, or there is one modality only.
        """
        from mmbench_joint.layers import Classifier, Modulated

        names = self.learnt_["modalities"]
        if len(names) < 2:
            raise ValueError(f"film conditions one modality by another; there is {names[0]!r} only")
        condition = names[-1] if self.condition is None else self.condition
        if condition not in names:
            near = get_close_matches(condition, names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"condition = {condition!r} is none of {', '.join(names)}{hint}")
        body = Modulated(
            self.learnt_["widths"], names.index(condition), self.width, self.blocks, self.dropout
        )
        return Classifier(body, self.width, self.learnt_["classes"])
