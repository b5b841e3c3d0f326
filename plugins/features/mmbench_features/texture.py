"""Texture: local binary patterns and grey-level co-occurrence."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image
from skimage import feature

from mmbench_features.images import Binarise, Contrast, Preparation, Resize, shades

PROPERTIES = ("contrast", "dissimilarity", "homogeneity", "energy", "correlation")


class LocalBinaryPatterns:
    """Histograms of local binary patterns over a grid of cells.

    A pixel's pattern says which of the points on a circle around it are at least as bright as
    itself. Uniform patterns, with at most two changes from dark to bright or back around the
    circle, have bins of their own; all others share one. An image of any mode becomes grey of 16
    bits, transparent parts laid on white; its border is continued outwards.

    Parameters
    ----------
    points : int, default 8
        Points on the circle.
    radius : float, default 1.0
        Radius of the circle, in pixels.
    rotation_invariant : bool, default True
        Whether uniform patterns that differ by a turn share a bin.
    grid : int, default 4
        Cells along each side of the image, a histogram each.
    size : int, default 128
        Side of the square into which the image is scaled, in pixels; 0: it stays as it is.
    resize, contrast, binarise
        How the image is prepared, see `mmbench_features.images.Preparation`.

    References
    ----------
    Ojala, Pietikäinen and Mäenpää, "Multiresolution gray-scale and rotation invariant texture
    classification with local binary patterns", IEEE Transactions on Pattern Analysis and Machine
    Intelligence 24(7), 2002; the grid: Ahonen, Hadid and Pietikäinen, "Face description with local
    binary patterns: application to face recognition", the same journal 28(12), 2006.
    """

    def __init__(
        self,
        *,
        points: int = 8,
        radius: float = 1.0,
        rotation_invariant: bool = True,
        grid: int = 4,
        size: int = 128,
        resize: Resize = "fit",
        contrast: Contrast = "none",
        binarise: Binarise = "none",
    ) -> None:
        self.points = points
        self.radius = radius
        self.rotation_invariant = rotation_invariant
        self.grid = grid
        self.size = size
        self.resize = resize
        self.contrast = contrast
        self.binarise = binarise

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d = grid**2 * bins`` with ``bins = points + 2`` where invariant to rotation, else
            ``points * (points - 1) + 3``. Cells row by row; the shares of a cell sum to 1, or are
            0 where the image has fewer pixels than cells.

        Raises
        ------
        ValueError
            If ``points``, ``radius`` or ``grid`` is not positive.
        """
        if self.points < 1 or self.radius <= 0 or self.grid < 1:
            raise ValueError(
                f"points = {self.points}, radius = {self.radius}, grid = {self.grid}: "
                "all must be positive"
            )
        prepare = Preparation(self.size, self.resize, self.contrast, self.binarise)
        return np.stack([self._encode_one(prepare(shades(image))) for image in items])

    def _encode_one(self, pixels: np.ndarray) -> np.ndarray:
        margin = int(np.ceil(self.radius)) + 1
        levels = np.pad(np.rint(pixels * 65535).astype(np.uint16), margin, mode="edge")
        method = "uniform" if self.rotation_invariant else "nri_uniform"
        patterns = feature.local_binary_pattern(  # type: ignore[no-untyped-call]
            levels, self.points, self.radius, method
        )
        inner = patterns[margin:-margin, margin:-margin].astype(np.int64)
        n = self.points
        bins = n + 2 if self.rotation_invariant else n * (n - 1) + 3
        histograms = [
            np.bincount(cell.ravel(), minlength=bins) / max(cell.size, 1)
            for band in np.array_split(inner, self.grid)
            for cell in np.array_split(band, self.grid, axis=1)
        ]
        return np.concatenate(histograms).astype(np.float32)


class CoOccurrence:
    """Statistics of which grey levels stand side by side.

    The grey-level co-occurrence matrix holds, for a distance and a direction, the shares of pairs
    of pixels by their two levels, each pair counted both ways round. Of each matrix: contrast,
    dissimilarity, homogeneity, energy and correlation. An image of any mode becomes grey,
    transparent parts laid on white.

    Parameters
    ----------
    distances : tuple of int, default (1, 2, 4)
        From pixel to pixel, in pixels.
    angles : tuple of float, default (0, 45, 90, 135)
        Directions, in degrees, anticlockwise from the right.
    levels : int, default 32
        Grey levels of equal width, 2 to 256.
    average : bool, default False
        Whether the statistics are averaged over the angles, so that turning the image by 90
        degrees changes nothing.
    size : int, default 128
        Side of the square into which the image is scaled, in pixels; 0: it stays as it is.
    resize, contrast, binarise
        How the image is prepared, see `mmbench_features.images.Preparation`.

    References
    ----------
    Haralick, Shanmugam and Dinstein, "Textural features for image classification", IEEE
    Transactions on Systems, Man, and Cybernetics 3(6), 1973.
    """

    def __init__(
        self,
        *,
        distances: tuple[int, ...] = (1, 2, 4),
        angles: tuple[float, ...] = (0.0, 45.0, 90.0, 135.0),
        levels: int = 32,
        average: bool = False,
        size: int = 128,
        resize: Resize = "fit",
        contrast: Contrast = "none",
        binarise: Binarise = "none",
    ) -> None:
        self.distances = distances
        self.angles = angles
        self.levels = levels
        self.average = average
        self.size = size
        self.resize = resize
        self.contrast = contrast
        self.binarise = binarise

    def encode(self, items: Sequence[Image.Image]) -> np.ndarray:
        """Embed images of any size and mode.

        Returns
        -------
        ndarray of float32, shape (n, d)
            ``d = 5 * distances * angles``, or ``5 * distances`` where averaged: by statistic, then
            distance, then angle. Where an image holds no such pair, correlation is 1, else 0.

        Raises
        ------
        ValueError
            If there is no distance or angle, a distance is not positive, or ``levels`` is not in 2
            to 256.
        """
        if not self.distances or not self.angles or min(self.distances) < 1:
            raise ValueError(
                f"distances = {list(self.distances)}, angles = {list(self.angles)}: "
                "at least one of each, distances positive"
            )
        if not 2 <= self.levels <= 256:
            raise ValueError(f"levels = {self.levels}: 2 to 256 are possible")
        prepare = Preparation(self.size, self.resize, self.contrast, self.binarise)
        return np.stack([self._encode_one(prepare(shades(image))) for image in items])

    def _encode_one(self, pixels: np.ndarray) -> np.ndarray:
        quantised = np.minimum(pixels * self.levels, self.levels - 1).astype(np.uint8)
        pairs = feature.graycomatrix(  # type: ignore[no-untyped-call]
            quantised,
            self.distances,
            np.deg2rad(self.angles),
            self.levels,
            symmetric=True,
            normed=True,
        )
        statistics = np.stack(
            [feature.graycoprops(pairs, name) for name in PROPERTIES]  # type: ignore[no-untyped-call]
        )
        if self.average:
            statistics = statistics.mean(axis=2)
        return statistics.ravel().astype(np.float32)
