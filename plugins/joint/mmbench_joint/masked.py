"""The alignment ``masked``: a hidden modality is rebuilt from the others."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np
from pydantic import Field

from mmbench_joint.alignment import NetworkAlignment

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class Masked(NetworkAlignment):
    """Codes from which the other modalities can be rebuilt.

    Each modality has a projection and a decoder. In turn, each modality of a sample is hidden; the
    shared code is the mean of the codes of the visible ones, and all modalities are rebuilt from
    it, by the mean squared error. So all codes lie in one space, which every decoder reads.

    The result for modality m is the code that its projection makes of m alone, standardised column
    by column over all modalities together (batch normalisation without parameters).

    Parameters
    ----------
    visible : float, default 1
        Weight of the error of visible modalities, where hidden ones have 1. With 0 a code keeps
        only what it tells of the others, and those of two modalities share no space.
    modality_dropout : float, default 0
        Probability that, in training, a further modality of a sample is hidden; one stays visible.
        Without effect on two modalities.

    References
    ----------
    Ngiam et al., "Multimodal deep learning", ICML 2011; Bachmann et al., "MultiMAE: multi-modal
    multi-task masked autoencoders", ECCV 2022.
    """

    name: ClassVar[str] = "masked"

    visible: Annotated[float, Field(ge=0)] = 1.0
    modality_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.alignment_networks import Masking

        return Masking(self.visible, self.modality_dropout, **self.projections)

    def rebuild(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return each modality as rebuilt from all others.

        Parameters
        ----------
        features : mapping of str to ndarray of float64, shape (n, d_modality)

        Returns
        -------
        dict of str to ndarray of float64, shape (n, d_modality)
        """
        return self._outputs("rebuild", features)
