"""A model of sentence-transformers that tells tokenising from computing where it is timed."""

from __future__ import annotations

from typing import Any

from sentence_transformers import SentenceTransformer
from sentence_transformers.util import batch_to_device

from mmbench import stage


class StagedSentenceTransformer(SentenceTransformer):
    """`SentenceTransformer`, its stages ``preprocess`` and ``transfer`` marked."""

    def preprocess(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return tokens as the model does, already on its device."""
        with stage("preprocess"):
            features = super().preprocess(*args, **kwargs)
        with stage("transfer"):
            return batch_to_device(features, self.device)
