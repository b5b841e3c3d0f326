"""Modalities turned onto each other, distances within each kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Self

import numpy as np
from scipy.linalg import orthogonal_procrustes

from mmbench_alignments.frames import Frame, n_rows, reference_of

TOLERANCE = 1e-9
"""Iterations end when the loss falls by no more, where the loss is at most 1."""
MOST_ITERATIONS = 1000


class Procrustes:
    """Rotate and reflect the modalities so that samples come to lie where they lie in the others.

    With two modalities, the other is turned onto the reference: orthogonal Procrustes analysis.
    With more, all are turned onto their consensus, which is their mean after turning: generalised
    Procrustes analysis, by alternating between the two from the reference on. There each counts
    alike, whatever its scale. The whole is then turned so that the reference keeps its axes.
    Nothing is scaled. The centre of all becomes the reference's.

    A modality of more columns than training samples, less 1, is first measured along its
    principal axes, which keeps the training part's distances.

    Parameters
    ----------
    reference : str, optional
        The modality that stays as it is. Default: the dataset's first.
    widths : {"pad", "reduce"}, default "pad"
        Narrower modalities get columns of zeros before they are turned, or wider ones are reduced
        to the narrowest by principal component analysis.

    Attributes
    ----------
    reference_ : str
    frames_ : dict of str to Frame
    rotations_ : dict of str to ndarray, shape (width, width)
        Orthogonal, by modality; the identity for the reference.
    history_ : list of dict
        ``iteration`` and ``loss``: of more than two modalities, the mean squared distance from
        the consensus as a share of the mean square of all.

    References
    ----------
    Schönemann, "A generalized solution of the orthogonal Procrustes problem", Psychometrika 31,
    1966. Gower, "Generalized Procrustes analysis", Psychometrika 40, 1975.
    """

    def __init__(
        self, *, reference: str | None = None, widths: Literal["pad", "reduce"] = "pad"
    ) -> None:
        self.reference = reference
        self.widths = widths

    def fit(self, features: Mapping[str, np.ndarray], labels: np.ndarray | None = None) -> Self:
        """Fit on the training part.

        Parameters
        ----------
        features : mapping of str to ndarray of float64, shape (n, d_modality)
        labels : None
            Not used.

        Raises
        ------
        ValueError
            There is one sample, or no modality of the reference's name.
        """
        widest = n_rows(features) - 1
        if self.widths == "reduce":
            widest = min(widest, *(part.shape[1] for part in features.values()))
        self.reference_ = reference_of(self.reference, features)
        self.frames_ = {name: Frame.fit(part, widest) for name, part in features.items()}
        self._width = max(len(frame.origin) for frame in self.frames_.values())
        order = [self.reference_, *(name for name in features if name != self.reference_)]
        found, losses = turned([self._coordinates(name, features[name]) for name in order])
        self.rotations_ = dict(zip(order, found, strict=True))
        self.history_ = [{"iteration": i, "loss": loss} for i, loss in enumerate(losses)]
        return self

    def transform(self, features: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the turned modalities, (n, width) each."""
        centre = self._padded(self.frames_[self.reference_].origin[None])
        return {
            name: self._coordinates(name, part) @ self.rotations_[name] + centre
            for name, part in features.items()
        }

    def _coordinates(self, name: str, part: np.ndarray) -> np.ndarray:
        return self._padded(self.frames_[name].coordinates(part))

    def _padded(self, part: np.ndarray) -> np.ndarray:
        return np.pad(part, ((0, 0), (0, self._width - part.shape[1])))


def turned(parts: Sequence[np.ndarray]) -> tuple[list[np.ndarray], list[float]]:
    """Find the rotations that bring several configurations of the same points together.

    Parameters
    ----------
    parts : sequence of ndarray of float64, shape (n, width)
        Centred.

    Returns
    -------
    rotations : list of ndarray of float64, shape (width, width)
        Orthogonal, the first the identity.
    losses : list of float
        After each iteration; empty for one or two parts, whose solution is known.
    """
    sizes = [np.linalg.norm(part) for part in parts]
    scaled = [part / size if size else part for part, size in zip(parts, sizes, strict=True)]
    rotations = [np.eye(parts[0].shape[1])]
    rotations += [orthogonal_procrustes(part, scaled[0])[0] for part in scaled[1:]]
    losses: list[float] = []
    while len(parts) > 2 and len(losses) < MOST_ITERATIONS:
        placed = np.stack([part @ turn for part, turn in zip(scaled, rotations, strict=True)])
        consensus = placed.mean(axis=0)
        losses.append(float(((placed - consensus) ** 2).sum() / len(parts)))
        if len(losses) > 1 and losses[-2] - losses[-1] <= TOLERANCE:
            break
        rotations = [orthogonal_procrustes(part, consensus)[0] for part in scaled]
    first = rotations[0].T
    return [np.eye(len(first)), *(turn @ first for turn in rotations[1:])], losses
