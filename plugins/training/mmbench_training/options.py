"""How a network is trained, as options of the plugin that trains it."""

# mmbench reads options from the annotations of ``__init__``, which dataclasses hand on from
# module to module; they must be types, not text, so annotations are not postponed here.

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from mmbench_training.docstrings import with_inherited


@dataclass(kw_only=True, eq=False)
class Training:
    """The options of training. A plugin's class inherits them, as a dataclass, beside its own.

    Its docstring need describe only its own: those of its bases are added to them.

    Parameters
    ----------
    epochs : int, default 30
        How often the training part is gone through, at most.
    batch_size : int, default 32
        Samples of one step.
    optimiser : {"adam", "adamw", "sgd"}, default "adam"
        Adam (Kingma and Ba 2015), AdamW (Loshchilov and Hutter 2019), or stochastic gradient
        descent with ``momentum``.
    learning_rate : float, default 1e-3
        Of ``one-cycle`` the highest.
    momentum : float, default 0.9
        Of ``sgd`` alone; 0 for none.
    weight_decay : float, default 0
        L2 penalty; of ``adamw`` the decoupled decay.
    schedule : {"constant", "cosine", "one-cycle"}, default "constant"
        Of the learning rate, step by step over all epochs: cosine down to 0 (Loshchilov and
        Hutter 2017, without restarts), or up and down again (Smith and Topin 2019).
    patience : int, default 5
        Training ends after so many epochs without a lower loss on the validation part, and the
        weights of the best epoch are kept. 0: all epochs are gone through, the last weights kept.
    validation_share : float, default 0.1
        Share of the training part that is held out for ``patience``, stratified, where the
        dataset has no validation part; 0 to 0.5. With 0 there is no early stopping there.
    clip : float, default 0
        Bound of the norm of all gradients together (Pascanu et al. 2013); 0 for none.
    class_weights : {"none", "balanced"}, default "none"
        Weight of a sample in the cross-entropy: ``balanced`` makes all classes count alike.
    mixed_precision : bool, default True
        Whether a GPU computes in 16 bits where that is safe (Micikevicius et al. 2018). A CPU
        computes in float32.
    seed : int, default 0
        Given by mmbench: of initial weights, dropout, augmentation, order and held-out share.
    device : {"cpu", "cuda"}, default "cpu"
        Given by mmbench.
    threads : int, default 1
        Given by mmbench.
    """

    epochs: Annotated[int, Field(ge=1)] = 30
    batch_size: Annotated[int, Field(ge=1)] = 32
    optimiser: Literal["adam", "adamw", "sgd"] = "adam"
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    schedule: Literal["constant", "cosine", "one-cycle"] = "constant"
    patience: Annotated[int, Field(ge=0)] = 5
    validation_share: Annotated[float, Field(ge=0, le=0.5)] = 0.1
    clip: Annotated[float, Field(ge=0)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    mixed_precision: bool = True
    seed: int = 0
    device: str = "cpu"
    threads: int = 1

    def __init_subclass__(cls, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        cls.__doc__ = with_inherited(cls)
