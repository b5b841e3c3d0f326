"""Joint fusions that decide by each modality, too."""

# Options are read from annotations, which are not postponed here.

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from mmbench_joint.fusion import NetworkFusion, cross_entropies

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module


@dataclass(kw_only=True, eq=False)
class MultiTask(NetworkFusion):
    """A loss for each modality and one for the fusion, so that no modality is left untrained.

    Every modality has hidden layers and a classifier of its own; the hidden layers side by side
    pass another one to the classifier that decides. The loss is the decision's cross-entropy plus
    ``modality_weight`` times the mean of the modalities'.

    Parameters
    ----------
    modality_weight : float, default 1
        0 for the fusion's loss alone.
    layers : int, default 1
        Hidden layers of each modality.

    References
    ----------
    Vielzeuf, Lechervy, Pateux and Jurie, "CentralNet: a multilayer approach for multimodal
    fusion", ECCV workshops 2018 (a sum of such losses); Wang, Tran and Feiszli, "What makes
    training multi-modal classification networks hard?", CVPR 2020 (their weights).
    """

    modality_weight: Annotated[float, Field(ge=0)] = 1.0
    layers: Annotated[int, Field(ge=1)] = 1

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.evidence import Decisions

        return Decisions(
            self.learnt_["widths"],
            self.learnt_["classes"],
            width=self.width,
            layers=self.layers,
            dropout=self.dropout,
        )

    def objective(self, outputs: Any, labels: "Tensor", smoothing: float) -> "Tensor":
        """Return the loss of each sample, (n,)."""
        joint, *single = (cross_entropies(logits, labels, smoothing) for logits in outputs)
        return joint + self.modality_weight * sum(single) / len(single)

    def probabilities(self, outputs: Any) -> "Tensor":
        """Return the fusion's class probabilities, (n, classes) float64."""
        return super().probabilities(outputs[0])


@dataclass(kw_only=True, eq=False)
class Trusted(NetworkFusion):
    """Trusted multi-view classification: modalities give evidence, not just probabilities.

    A network per modality gives evidence e = softplus(logits) for each class, a Dirichlet
    distribution with α = e + 1, that is belief in each class and what is left open. Opinions are
    combined by a reduced Dempster rule, so that an undecided modality leaves the others' decision
    as it is; so does one that a sample lacks. The probabilities are the mean of the combined
    distribution, α / Σα. The loss of the combination, and of each modality, is the expected
    cross-entropy plus, in training, a divergence that takes back evidence for wrong classes, whose
    weight rises from 0 to 1.

    Parameters
    ----------
    annealing : float, default 10
        Epochs until the divergence has its full weight; 0 for at once.
    layers : int, default 1
        Hidden layers of each modality.

    References
    ----------
    Han, Zhang, Fu and Zhou, "Trusted multi-view classification", ICLR 2021.
    Sensoy, Kaplan and Kandemir, "Evidential deep learning to quantify classification
    uncertainty", NeurIPS 2018.
    """

    handles_missing: ClassVar[bool] = True

    annealing: Annotated[float, Field(ge=0)] = 10.0
    layers: Annotated[int, Field(ge=1)] = 1

    def build(self) -> "Module":
        """Return the network."""
        from mmbench_joint.evidence import Evidence

        return Evidence(
            self.learnt_["widths"],
            self.learnt_["classes"],
            width=self.width,
            layers=self.layers,
            dropout=self.dropout,
        )

    def objective(self, outputs: Any, labels: "Tensor", smoothing: float) -> "Tensor":
        """Return the loss of each sample, (n,); without the divergence but in training."""
        from mmbench_joint.evidence import evidential_loss

        network: Any = self.network_
        weight = 0.0
        if network.training:
            passed = self.annealing * self.learnt_["samples"]
            weight = min(1.0, network.seen / passed) if passed else 1.0
        losses: list[Tensor] = [evidential_loss(a, labels, smoothing, weight) for a in outputs]
        return sum(losses[1:], start=losses[0])

    def probabilities(self, outputs: Any) -> "Tensor":
        """Return the mean of the combined Dirichlet distribution, (n, classes) float64."""
        alpha = outputs[0]
        mean: Tensor = alpha / alpha.sum(dim=1, keepdim=True)
        return mean
