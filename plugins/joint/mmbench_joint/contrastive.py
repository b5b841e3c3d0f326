"""The alignment ``contrastive``: the modalities of a sample are to find each other."""

# Options are read from annotations, which are not postponed here.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import Field

from mmbench_joint.alignment import NetworkAlignment

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class Contrastive(NetworkAlignment):
    """Projections in which the modalities of one sample lie close, those of unlike ones apart.

    Codes have norm 1. Of each code, the code of another modality of the same sample is to be told
    from those of all samples of the batch: InfoNCE, both ways, over all pairs of modalities.

    Parameters
    ----------
    temperature : float, default 0.07
        Cosine similarities are divided by it; at least 0.01.
    learn_temperature : bool, default True
        Whether it is learnt, from that value on, down to 0.01. It is then subject to
        ``weight_decay`` as all parameters are.

    References
    ----------
    van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding",
    2018; Radford et al., "Learning transferable visual models from natural language supervision",
    ICML 2021.
    """

    name: ClassVar[str] = "contrastive"

    temperature: Annotated[float, Field(ge=0.01)] = 0.07
    learn_temperature: bool = True

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.alignment_networks import Contrast

        return Contrast(self.temperature, self.learn_temperature, **self.projections)
