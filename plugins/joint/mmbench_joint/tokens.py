"""Joint fusions that attend over the tokens, patches or frames of all modalities."""

# Options are read from annotations, which are not postponed here.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mmbench_joint.fusion import NetworkFusion

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class TokenFusion(NetworkFusion):
    """A transformer over tokens; an encoder without them gives one token, its embedding.

    Parameters
    ----------
    heads : int, default 4
        Of attention; a divisor of ``width``.
    layers : int, default 1
        Of attention with its feed-forward network, twice ``width`` wide.
    """

    handles_missing: ClassVar[bool] = True

    heads: Annotated[int, Field(ge=1)] = 4
    layers: Annotated[int, Field(ge=1)] = 1

    def _sizes(self) -> dict[str, Any]:
        if self.width % self.heads:
            raise ValueError(f"heads = {self.heads} does not divide width = {self.width}")
        return {
            "width": self.width,
            "heads": self.heads,
            "layers": self.layers,
            "dropout": self.dropout,
        }


@dataclass(kw_only=True, eq=False)
class Attention(TokenFusion):
    """Self-attention over the tokens of all modalities together.

    A linear map of its own brings each modality's tokens to one width. They, and a learnt class
    token, pass layers of multi-head attention and feed-forward networks, normalised before each;
    the class token's last state goes to the classes. Tokens have no position but what their
    encoder has put into them. What a sample lacks is not attended to.

    Parameters
    ----------
    width : int, default 64
        Columns of a token.

    References
    ----------
    Vaswani et al., "Attention is all you need", NeurIPS 2017.
    Xiong et al., "On layer normalization in the transformer architecture", ICML 2020.
    """

    def build(self) -> "Module":
        """Return the network.

        Raises
        ------
        ValueError
            If ``heads`` does not divide ``width``.
        """
        from mmbench_joint.attention import SelfAttention

        return SelfAttention(self.learnt_["widths"], self.learnt_["classes"], **self._sizes())


@dataclass(kw_only=True, eq=False)
class CrossTransformer(TokenFusion):
    """Cross-attention: the tokens of every modality attend to those of each other one.

    As in the multimodal transformer, every ordered pair of modalities has layers of its own, whose
    queries are the one's tokens and whose keys and values are the other's; what a modality has
    learnt of all others is put side by side and passes self-attention. Unlike there, it is brought
    back to ``width`` first, and the mean over tokens, not the last one, goes on, through a hidden
    layer, to the classes; tokens have no position but what their encoder has put into them. A
    learnt token beside the others' is what is attended to where a sample lacks them.

    Parameters
    ----------
    width : int, default 64
        Columns of a token, and of the hidden layer.
    layers : int, default 1
        Of cross-attention for every ordered pair, each with its feed-forward network.

    References
    ----------
    Tsai et al., "Multimodal transformer for unaligned multimodal language sequences", ACL 2019.
    """

    def build(self) -> "Module":
        """Return the network.

        Raises
        ------
        ValueError
            If ``heads`` does not divide ``width``.
        """
        from mmbench_joint.attention import CrossAttention

        return CrossAttention(self.learnt_["widths"], self.learnt_["classes"], **self._sizes())
