"""Feature-level fusion by products of features across modalities: whole, and sketched."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np
from scipy import sparse
from scipy.fft import irfft, rfft


class OuterProduct:
    """Tensor fusion: the outer product of all embeddings, each with a 1 appended.

    The fused vector holds every feature and every product of features of different modalities,
    the last modality's varying fastest, and a constant 1 at its end.

    Parameters
    ----------
    limit : int, default 20000
        Most columns that the fused vector may have; it takes 8 bytes a column and sample.

    References
    ----------
    Zadeh, Chen, Poria, Cambria and Morency, "Tensor fusion network for multimodal sentiment
    analysis", EMNLP 2017.
    """

    def __init__(self, *, limit: int = 20_000) -> None:
        self.limit = limit

    def transform(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Fuse embeddings (n, d_modality) into vectors (n, product of all d_modality + 1).

        Raises
        ------
        ValueError
            If the product is over the limit.
        """
        parts = [np.asarray(part, dtype=np.float64) for part in features.values()]
        widths = [part.shape[1] + 1 for part in parts]
        if prod(widths) > self.limit:
            factors = " * ".join(f"({width - 1} + 1)" for width in widths)
            raise ValueError(
                f"outer-product: {factors} = {prod(widths)} columns are over limit = {self.limit}: "
                "take narrower embeddings, compact-bilinear, or a higher limit"
            )
        n = len(parts[0])
        one = np.ones((n, 1))
        fused = one
        for part in parts:
            longer = np.hstack([part, one])
            columns = fused.shape[1] * longer.shape[1]
            fused = (fused[:, :, None] * longer[:, None, :]).reshape(n, columns)
        return fused


class CompactBilinear:
    """Compact bilinear pooling: a count sketch of the embeddings' outer product.

    The outer product is never formed: the circular convolution of the embeddings' count sketches,
    by the fast Fourier transform, is a count sketch of it. Its inner products are estimates,
    unbiased over seeds, of the products of the modalities' inner products (plus 1 each, for the
    1 appended).

    Parameters
    ----------
    seed : int
        Of the hash functions.
    components : int, default 1024
        Width of the fused vector.
    append_one : bool, default True
        Append a 1 to every embedding first, as `OuterProduct` does: single features and products
        of fewer modalities are kept too. False is the papers' pooling; of standardised embeddings,
        which have mean 0, it forgets the signs.
    normalise : bool, default False
        Take signed square roots and scale every vector to length 1, as both papers do next.

    References
    ----------
    Gao, Beijbom, Zhang and Darrell, "Compact bilinear pooling", CVPR 2016.
    Fukui, Park, Yang, Rohrbach, Darrell and Rohrbach, "Multimodal compact bilinear pooling for
    visual question answering and visual grounding", EMNLP 2016.
    Pham and Pagh, "Fast and scalable polynomial kernels via explicit feature maps", KDD 2013.
    """

    def __init__(
        self,
        *,
        seed: int,
        components: int = 1024,
        append_one: bool = True,
        normalise: bool = False,
    ) -> None:
        self.seed = seed
        self.components = components
        self.append_one = append_one
        self.normalise = normalise

    def transform(self, features: Mapping[str, np.ndarray | sparse.csr_matrix]) -> np.ndarray:
        """Fuse embeddings (n, d_modality), dense or CSR, into vectors (n, components).

        Raises
        ------
        ValueError
            If there is to be no component.
        """
        if self.components < 1:
            raise ValueError(f"components = {self.components}: it must be at least 1")
        spectrum: np.ndarray | float = 1.0
        seeds = np.random.SeedSequence(self.seed).spawn(len(features))
        for part, seed in zip(features.values(), seeds, strict=True):
            spectrum = spectrum * rfft(self._sketch(part, np.random.default_rng(seed)), axis=1)
        fused: np.ndarray = irfft(spectrum, n=self.components, axis=1)
        if self.normalise:
            fused = np.sign(fused) * np.sqrt(np.abs(fused))
            length = np.linalg.norm(fused, axis=1, keepdims=True)
            fused = np.divide(fused, length, out=fused, where=length > 0)
        return fused

    def _sketch(self, part: np.ndarray | sparse.csr_matrix, rng: np.random.Generator) -> np.ndarray:
        """Return the count sketch (n, components): every column, signed, in one of the bins."""
        d = part.shape[1]
        bins = rng.integers(self.components, size=d + 1)
        signs = rng.choice([-1.0, 1.0], size=d + 1)
        scatter = sparse.csr_matrix(
            (signs[:d], (np.arange(d), bins[:d])), shape=(d, self.components)
        )
        product = part @ scatter
        sketch: np.ndarray = product.toarray() if sparse.issparse(product) else product
        if self.append_one:
            sketch[:, bins[d]] += signs[d]
        return sketch
