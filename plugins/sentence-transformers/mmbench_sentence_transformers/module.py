"""From prepared items to embeddings: a model of sentence-transformers as `encode` uses it.

Imports torch: only for what has loaded a model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    Features = dict[str, Any]

MASK = "attention_mask"


class SentenceModule(torch.nn.Module):
    """A model, and how its embeddings are cut and scaled.

    Parameters
    ----------
    model : SentenceTransformer
        The model, its pooling included.
    truncate : int, optional
        Columns that are kept.
    normalise : bool
        Whether embeddings are then scaled to length 1.
    """

    def __init__(self, model: SentenceTransformer, truncate: int | None, normalise: bool) -> None:
        super().__init__()
        self.model = model
        self.truncate = truncate
        self.normalise = normalise

    def forward(self, features: Features) -> torch.Tensor:
        """Embed prepared items.

        Parameters
        ----------
        features : dict
            What the model takes, on its device; texts where it does not name a ``modality``.

        Returns
        -------
        Tensor of float32, shape (n, d)
        """
        return self._finished(self._computed(features)["sentence_embedding"])

    def tokens(self, features: Features) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the tokens' embeddings, float32 (n, t, d), and which are an item's own (n, t).

        Raises
        ------
        ValueError
            If the model makes no embeddings of tokens.
        """
        made = self._computed(features)
        if "token_embeddings" not in made:
            raise ValueError("the model makes no embeddings of tokens")
        return self._finished(made["token_embeddings"]), made[MASK].bool()

    def _computed(self, features: Features) -> Features:
        """Return what the model makes; floating-point inputs are as precise as it is."""
        kind = next((p.dtype for p in self.model.parameters()), torch.float32)
        given = {
            name: value.to(kind)
            if isinstance(value, torch.Tensor) and value.is_floating_point()
            else value
            for name, value in features.items()
        }
        made: Features = self.model(given)
        return made

    def _finished(self, vectors: torch.Tensor) -> torch.Tensor:
        vectors = vectors.float()[..., : self.truncate]
        return torch.nn.functional.normalize(vectors, dim=-1) if self.normalise else vectors


def trimmed(features: Features, rows: list[int]) -> Features:
    """Return some rows of prepared texts, without columns that are padding of all of them."""
    mask = features[MASK]
    own = mask[rows].any(dim=0).nonzero().flatten()
    columns = slice(int(own[0]), int(own[-1]) + 1) if len(own) else slice(None)

    def part(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.ndim == 0 or len(value) != len(mask):
            return value
        kept = value[rows]
        return kept[:, columns] if kept.shape[1:2] == mask.shape[1:] else kept

    return {name: part(value) for name, value in features.items()}
