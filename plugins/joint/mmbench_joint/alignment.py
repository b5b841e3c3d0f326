"""What the alignments of this plugin share: trained by one loop, saved without pickles."""

# Options are read from annotations, which are not postponed here.

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from mmbench_training import Kept, Training, fit
from pydantic import Field

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(kw_only=True, eq=False)
class NetworkAlignment(Kept, Training):
    """An alignment by a projection of each modality into one space, trained without labels.

    A subclass says how its network is built (`build`): ``forward`` returns the loss of a batch,
    ``embed`` the codes of each modality. It is trained in float32, and then used in float64.

    Parameters
    ----------
    width : int, default 32
        Columns of the result.
    hidden : int, default 0
        Width of the hidden layer, with ReLU, of projections and decoders; 0 for linear ones.
    dropout : float, default 0
        Share of the features' values set to 0 in training.
    epochs : int, default 200
        As in `mmbench_training.Training`.
    batch_size : int, default 128
        Samples of one step.
    learning_rate : float, default 3e-3
        As in `mmbench_training.Training`.
    patience : int, default 20
        Training ends after so many epochs without a lower loss on the held-out part, and the
        weights of the best epoch are kept. 0: all epochs are gone through, the last weights kept;
        so, too, where fewer than two samples would be held out.
    mixed_precision : bool, default False
        As in `mmbench_training.Training`, but off: networks as small as these gain nothing.

    Attributes
    ----------
    network_ : torch.nn.Module
        The trained network, in float64.
    learnt_ : dict
        What else was learnt, as JSON holds it: ``columns`` by modality.
    history_ : list of dict
        The curves of training (`mmbench_training.Fitted`).
    """

    name: ClassVar[str]

    width: Annotated[int, Field(ge=1)] = 32
    hidden: Annotated[int, Field(ge=0)] = 0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    epochs: Annotated[int, Field(ge=1)] = 200
    batch_size: Annotated[int, Field(ge=2)] = 128
    learning_rate: Annotated[float, Field(gt=0)] = 3e-3
    patience: Annotated[int, Field(ge=0)] = 20
    mixed_precision: bool = False

    def fit(self, features: Mapping[str, np.ndarray], labels: np.ndarray | None = None) -> Self:
        """Fit on the training part.

        Parameters
        ----------
        features : mapping of str to ndarray of float64, shape (n, d_modality)
        labels : None
            Not used.

        Raises
        ------
        RuntimeError
            If there is no CUDA device where one was asked for, or the loss is not finite.
        ValueError
            If there are fewer than two modalities or samples.
        """
        if len(features) < 2:
            raise ValueError(f"{self.name} needs two or more modalities, and there is one")
        self.learnt_ = {"columns": {name: part.shape[1] for name, part in features.items()}}
        inputs: Any = self._inputs(features).float()
        enough = len(inputs) * self.validation_share >= 2
        self.network_, self.history_ = fit(
            self.build,
            inputs,
            None,
            options=self if enough else replace(self, patience=0),
            collate=_stacked,
            loss=_objective,
        )
        self.network_.double()
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the codes of each modality.

        Returns
        -------
        dict of str to ndarray of float64, shape (n, width)
        """
        return self._outputs("embed", features)

    def load(self, folder: Path) -> Self:
        """Read what `save` wrote, into an alignment of the same options."""
        super().load(folder)
        self.network_.double()
        return self

    @property
    def projections(self) -> dict[str, Any]:
        """The options of the projections, as `mmbench_joint.alignment_networks` takes them."""
        columns = list(self.learnt_["columns"].values())
        return {
            "columns": columns,
            "width": self.width,
            "hidden": self.hidden,
            "dropout": self.dropout,
        }

    def _inputs(self, features: Mapping[str, np.ndarray]) -> "Tensor":
        """Return the modalities side by side, (n, sum of columns), in float64."""
        import torch

        parts = [features[name] for name in self.learnt_["columns"]]
        return torch.from_numpy(np.hstack(parts).astype(np.float64, copy=False))

    def _outputs(self, method: str, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return what a method of the network makes, by modality."""
        import torch

        torch.set_num_threads(self.threads)
        with torch.inference_mode():
            made = getattr(self.network_, method)(self._inputs(features).to(self.device))
        by_modality = dict(zip(self.learnt_["columns"], made, strict=True))
        return {name: by_modality[name].cpu().numpy() for name in features}


def _stacked(rows: "list[Tensor]", training: bool) -> "Tensor":
    import torch

    return torch.stack(rows)


def _objective(loss: "Tensor", *_: Any) -> "Tensor":
    """Return the loss, which the network has computed itself."""
    return loss
