"""What all encoders of this plugin share: fitted by one loop, saved without pickles."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from mmbench_training import Kept, Training, cross_entropy, fit, moved

from mmbench import stage

if TYPE_CHECKING:
    pass


@dataclass(kw_only=True, eq=False)
class NetworkEncoder(Kept, Training):
    """An encoder whose embedding is a layer of a network trained on the training part.

    A subclass says what is learnt before training (`learn`), how the network is built (`build`),
    and how items become its inputs (`prepare`, `collate`). The network has a method ``embed``,
    from inputs to embeddings (n, d).

    Attributes
    ----------
    network_ : torch.nn.Module
        The trained network.
    learnt_ : dict
        What else was learnt, as JSON holds it: ``classes``, and what `learn` returned.
    history_ : list of dict
        The curves of training (`mmbench_training.Fitted`).
    """

    loss: ClassVar[Callable[..., Any]] = staticmethod(cross_entropy)

    @abstractmethod
    def learn(self, items: Sequence[Any]) -> dict[str, Any]:
        """Return what is learnt of the training items before training, as JSON holds it."""

    @abstractmethod
    def prepare(self, items: Sequence[Any]) -> Sequence[Any]:
        """Return what is made of items once: an input each, for ``collate``."""

    @abstractmethod
    def collate(self, inputs: list[Any], training: bool) -> Any:
        """Return a batch as the network takes it, augmented only in training."""

    def fit(
        self,
        items: Sequence[Any],
        labels: np.ndarray | None,
        *,
        validation: tuple[Sequence[Any], np.ndarray | None] | None = None,
    ) -> Self:
        """Train on the training items.

        Parameters
        ----------
        items : sequence
        labels : ndarray of int64, shape (n,), or None
            0 to k-1; None where it is registered to learn without.
        validation : (items, labels), optional
            What early stopping looks at.

        Raises
        ------
        RuntimeError
            If there is no CUDA device where one was asked for, or the loss is not finite.
        ValueError
            If there are fewer than two items to train on.
        """
        self.learnt_ = self.learn(items)
        if labels is not None:
            self.learnt_["classes"] = int(labels.max()) + 1
        held = None
        if validation is not None:
            held = self.prepare(validation[0]), validation[1]
        self.network_, self.history_ = fit(
            self.build,
            self.prepare(items),
            labels,
            options=self,
            collate=self.collate,
            loss=type(self).loss,
            validation=held,
        )
        return self

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Embed items.

        Returns
        -------
        ndarray of float32, shape (n, d)
        """
        import torch

        torch.set_num_threads(self.threads)
        pieces = []
        network: Any = self.network_
        with torch.inference_mode():
            for start in range(0, len(items), self.batch_size):
                with stage("preprocess"):
                    inputs = self.prepare(items[start : start + self.batch_size])
                    batch = self.collate(list(inputs), False)
                with stage("transfer"):
                    batch = moved(batch, self.device)
                features = network.embed(batch)
                with stage("transfer"):
                    pieces.append(features.float().cpu())
        embedded: np.ndarray = torch.cat(pieces).numpy()
        return embedded
