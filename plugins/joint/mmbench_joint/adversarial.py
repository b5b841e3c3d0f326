"""The alignment ``adversarial``: a discriminator must not tell the modality by the code."""

# Options are read from annotations, which are not postponed here.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from mmbench_joint.alignment import NetworkAlignment

if TYPE_CHECKING:
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class Adversarial(NetworkAlignment):
    """Codes that keep what each modality holds, but do not show which modality they are of.

    A decoder for each modality rebuilds it from its code, by the mean squared error. A
    discriminator learns to tell the modality by the code; its gradient reaches the projections
    reversed, so that they learn to deceive it. Codes are standardised column by column over all
    modalities together (batch normalisation without parameters). Samples are not paired: the
    distributions alone are made alike.

    Parameters
    ----------
    weight : float, default 0.1
        What the reversed gradient is multiplied by; 0 for autoencoders side by side.
    discriminator : int, default 64
        Width of the discriminator's hidden layer, with ReLU; 0 for a linear one.
    penalty : float, default 3
        Weight of the mean squared gradient, by the code, of the discriminator's log-probability of
        the true modality, which it keeps small; without it the contest swings more.
    batch_size : int, default 64
        Samples of one step.
    learning_rate : float, default 5e-3
        As in `mmbench_training.Training`.
    schedule : {"constant", "cosine", "one-cycle"}, default "cosine"
        As in `mmbench_training.Training`. While steps are large, the contest swings; it settles as
        they become small.
    patience : int, default 0
        All epochs are gone through, as there is no least loss where two contend. If not 0: epochs
        without a lower error of reconstruction plus ``weight`` times what the discriminator knows,
        by how many nats its cross-entropy is below that of a guess, on the held-out part.

    References
    ----------
    Ganin et al., "Domain-adversarial training of neural networks", Journal of Machine Learning
    Research 17(59), 2016; with a reconstruction: Bousmalis et al., "Domain separation networks",
    NeurIPS 2016. The penalty: Mescheder, Geiger and Nowozin, "Which training methods for GANs do
    actually converge?", ICML 2018.
    """

    name: ClassVar[str] = "adversarial"

    weight: Annotated[float, Field(ge=0)] = 0.1
    discriminator: Annotated[int, Field(ge=0)] = 64
    penalty: Annotated[float, Field(ge=0)] = 3.0
    batch_size: Annotated[int, Field(ge=2)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 5e-3
    schedule: Literal["constant", "cosine", "one-cycle"] = "cosine"
    patience: Annotated[int, Field(ge=0)] = 0

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.alignment_networks import Confusion

        return Confusion(self.weight, self.discriminator, self.penalty, **self.projections)
