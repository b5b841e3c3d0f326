"""What all joint fusions share: trained by one loop, with encoders or without."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import numpy as np
from mmbench_training import Kept, Training, fit, moved
from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    from mmbench import Sequences

Features = Mapping[str, "np.ndarray | Sequences"]


@dataclass(kw_only=True, eq=False)
class NetworkFusion(Kept, Training):
    """A network that learns fusion and classification together.

    A subclass says how the network is built (`build`); where it returns more than logits, also
    what the loss of a sample is (`objective`) and which class probabilities follow
    (`probabilities`).

    Parameters
    ----------
    width : int, default 64
        Columns of a hidden layer.
    dropout : float, default 0.1
        Share of a layer's values that are set to 0 in training.
    l1 : float, default 0
        L1 penalty: what the sum of absolute weights counts in the loss, biases aside.
    label_smoothing : float, default 0
        Share of a sample's label that is spread over all classes in training (Szegedy et al.
        2016).
    modality_dropout : float, default 0
        Chance of each modality of a sample to be dropped in training, so that none is relied on
        alone (Neverova et al. 2016); a sample keeps at least one. A dropped one is missing to the
        fusions that handle that; to others it becomes its mean over the training part.
    mixup : float, default 0
        Parameter of the beta distribution by which two training samples and their labels are
        mixed (Zhang et al. 2018); 0 mixes nothing. Of sequences, vectors are mixed position by
        position, the shorter filled up with zeros.
    encoder_learning_rate : float, default 1e-4
        Of encoders that are trained with the fusion, or of their adapters.
    lora_rank : int, default 8
        Of the adapters of ``finetune = "lora"`` (Hu et al. 2022).
    lora_alpha : int, default 16
        The adapters' sum counts ``lora_alpha / lora_rank`` times.
    lora_dropout : float, default 0
        Share of an adapter's inputs that are set to 0 in training.
    finetune : {"frozen", "full", "lora"}, default "frozen"
        Given by mmbench.

    Attributes
    ----------
    network_ : torch.nn.Module
        The trained network.
    learnt_ : dict
        ``modalities``, their ``widths``, ``classes`` and training ``samples``.
    history_ : list of dict
        The curves of training (`mmbench_training.Fitted`).
    """

    handles_missing: ClassVar[bool] = False

    width: Annotated[int, Field(ge=1)] = 64
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
    l1: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    modality_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mixup: Annotated[float, Field(ge=0)] = 0.0
    encoder_learning_rate: Annotated[float, Field(gt=0)] = 1e-4
    lora_rank: Annotated[int, Field(ge=1)] = 8
    lora_alpha: Annotated[int, Field(ge=1)] = 16
    lora_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    finetune: Literal["frozen", "full", "lora"] = "frozen"

    def objective(self, outputs: Any, labels: "Tensor", smoothing: float) -> "Tensor":
        """Return the loss of each sample, (n,); ``smoothing`` is 0 but in training."""
        return cross_entropies(outputs, labels, smoothing)

    def probabilities(self, outputs: Any) -> "Tensor":
        """Return class probabilities, (n, classes) float64."""
        probabilities: Tensor = outputs.double().softmax(dim=1)
        return probabilities

    def fit(
        self,
        features: Features,
        labels: np.ndarray,
        *,
        validation: tuple[Features, np.ndarray] | None = None,
    ) -> Self:
        """Train on the training part.

        Parameters
        ----------
        features : mapping of str to ndarray (n, d) or Sequences
            By modality. Rows of NaN and empty sequences are what a sample lacks.
        labels : ndarray of int64, shape (n,)
            0 to k-1.
        validation : (features, labels), optional
            What early stopping looks at.

        Raises
        ------
        RuntimeError
            If there is no CUDA device where one was asked for, or the loss is not finite.
        ValueError
            If there are fewer than two samples to train on, or an option does not suit the
            modalities.
        """
        from mmbench_joint.batches import Batches, samples

        self._learn(list(features), [_vectors(f).shape[1] for f in features.values()], labels)
        fill = None if self.handles_missing else _means(features)
        held = None
        if validation is not None:
            held = samples(self._ordered(validation[0])), validation[1]
        self.network_, self.history_ = fit(
            self._begin,
            samples(list(features.values())),
            labels,
            options=self,
            collate=Batches(self.modality_dropout, self.mixup, fill),
            loss=self._loss,
            validation=held,
        )
        return self

    def predict_proba(self, features: Features) -> np.ndarray:
        """Return class probabilities.

        Returns
        -------
        ndarray of float64, shape (n, k)
        """
        from mmbench_joint.batches import Batches, samples

        return self._predicted(self.network_, samples(self._ordered(features)), Batches())

    def fit_items(
        self,
        encoders: Mapping[str, Any],
        items: Mapping[str, Any],
        labels: np.ndarray,
        *,
        validation: tuple[Mapping[str, Any], np.ndarray] | None = None,
    ) -> Self:
        """Train encoders and fusion together, all weights or low-rank adapters of the encoders'.

        It begins where `fit` does: with the encoders' embeddings, standardised by those of the
        training part. `save` keeps the fusion's network, not the encoders'.

        Parameters
        ----------
        encoders : mapping
            By modality, encoders that offer ``module()`` and ``collate(items)``; of the others
            ``items`` has features, as `fit` is given them.
        items : mapping of str to sequence
            By modality; None where a sample lacks one.
        labels : ndarray of int64, shape (n,)
            0 to k-1.
        validation : (items, labels), optional
            What early stopping looks at.

        Raises
        ------
        RuntimeError
            If there is no CUDA device where one was asked for, or the loss is not finite.
        ValueError
            As of `fit`; or an encoder has no layer to adapt, or a modality no training sample.
        """
        import torch

        from mmbench_joint.endtoend import EndToEnd, ItemBatches, Stem, Together

        if self.device == "cuda" and not torch.cuda.is_available():
            raise RuntimeError("device 'cuda' was asked for, but torch finds no CUDA device")
        torch.set_num_threads(self.threads)
        own = [encoders.get(modality) for modality in items]
        stems = [
            Stem.of(encoder, given, self)
            for encoder, given in zip(own, items.values(), strict=True)
        ]
        self._learn(list(items), [len(stem.mean) for stem in stems], labels)
        held = None
        if validation is not None:
            held = Together(self._ordered(validation[0])), validation[1]
        rates = self.learning_rate, self.encoder_learning_rate
        self.tuned_: Any
        self.tuned_, history = fit(
            lambda: EndToEnd(stems, self._begin(), self),
            Together(list(items.values())),
            labels,
            options=self,
            collate=ItemBatches(own, self.modality_dropout, self.mixup),
            loss=self._loss,
            validation=held,
            groups=lambda network: network.groups(*rates),
        )
        trained = sum(p.numel() for p in self.tuned_.encoders.parameters() if p.requires_grad)
        self.history_ = [{**row, "trained_encoder_parameters": float(trained)} for row in history]
        self._collate = ItemBatches(own)
        return self

    def predict_proba_items(self, items: Mapping[str, Any]) -> np.ndarray:
        """Return class probabilities of items, by the encoders as they were trained.

        Returns
        -------
        ndarray of float64, shape (n, k)
        """
        from mmbench_joint.endtoend import Together

        return self._predicted(self.tuned_, Together(self._ordered(items)), self._collate)

    def _learn(self, modalities: list[str], widths: list[int], labels: np.ndarray) -> None:
        self.learnt_: dict[str, Any] = {
            "modalities": modalities,
            "widths": widths,
            "classes": int(labels.max()) + 1,
            "samples": len(labels),
        }

    def _predicted(self, network: "Module", given: Any, collate: Any) -> np.ndarray:
        """Return a network's class probabilities of samples, batch by batch."""
        import torch

        torch.set_num_threads(self.threads)
        pieces = []
        with torch.inference_mode():
            for start in range(0, len(given), self.batch_size):
                batch = collate(given[start : start + self.batch_size], False)
                outputs = network(moved(batch, self.device))
                pieces.append(self.probabilities(outputs).cpu())
        predicted: np.ndarray = torch.cat(pieces).numpy()
        return predicted

    def _ordered(self, given: Mapping[str, Any]) -> list[Any]:
        return [given[m] for m in self.learnt_["modalities"]]

    def _begin(self) -> "Module":
        self.network_ = self.build()
        return self.network_

    def _loss(
        self, outputs: Any, batch: Any, labels: "Tensor | None", weights: "Tensor | None"
    ) -> "Tensor":
        """Return the mean loss of a batch, samples weighted by class and, if mixed, by share."""
        import torch

        assert labels is not None
        training = self.network_.training
        parts = [(labels, torch.ones(len(labels), device=labels.device))]
        if "partner" in batch:
            share = batch["share"]
            parts = [(labels, share), (labels[batch["partner"]], 1 - share)]
        total = torch.zeros((), device=labels.device)
        counted = torch.zeros((), device=labels.device)
        for truth, counts in parts:
            if weights is not None:
                counts = counts * weights[truth]
            losses = self.objective(outputs, truth, self.label_smoothing if training else 0.0)
            total = total + (counts * losses).sum()
            counted = counted + counts.sum()
        loss = total / counted
        if training and self.l1:
            matrices = [p for p in self.network_.parameters() if p.ndim > 1]
            loss = loss + self.l1 * sum(p.abs().sum() for p in matrices)
        return loss


def cross_entropies(logits: "Tensor", labels: "Tensor", smoothing: float) -> "Tensor":
    """Return the cross-entropy of each sample, (n,)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits.float(), labels, reduction="none", label_smoothing=smoothing)


def _vectors(features: "np.ndarray | Sequences") -> np.ndarray:
    """Return all vectors of a modality."""
    return features if isinstance(features, np.ndarray) else features.values


def _means(features: Features) -> "list[Tensor]":
    """Return the mean of each modality's vectors."""
    import torch

    means = (_vectors(f).mean(axis=0) for f in features.values())
    return [torch.as_tensor(mean, dtype=torch.float32) for mean in means]
