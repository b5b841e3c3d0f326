"""The training loop of the neural networks among mmbench's plugins, and its options.

Nothing here imports torch before something is trained: a plan reads every plugin's options.
"""

from mmbench_training.kept import Kept
from mmbench_training.loop import Fitted, cross_entropy, fit, held_out, moved, reconstruction
from mmbench_training.options import Training

__all__ = [
    "Fitted",
    "Kept",
    "Training",
    "cross_entropy",
    "fit",
    "held_out",
    "moved",
    "reconstruction",
]
