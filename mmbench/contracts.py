"""What a plugin hands over: protocols, so that nobody has to inherit from mmbench.

Arrays are NumPy arrays; ``n`` counts samples, ``d`` features, ``k`` distinct training labels.

*Parameters.* A plugin's typed keyword parameters are its options in the matrix file. A parameter
named ``seed`` (int), ``device`` (``"cpu"`` or ``"cuda"``), ``threads`` (int), ``n_classes`` (int,
the ``k`` below) or ``finetune`` (see there) is no option: the harness gives it. What asks for no
seed shares its work between seeds. Options annotated ``pathlib.Path`` are resolved against the
matrix file's folder.

*Labels.* Whatever is fitted receives int64 labels ``0 .. k-1``: the distinct labels of its
training part, in the order of the dataset's classes, without gaps. ``predict_proba`` returns
``(n, k)``; the harness widens it to all classes, with probability 0 for those not trained on.

*Flags said at registration.* ``kind``: the kinds of modality an encoder takes. ``level``: of a
fusion. ``trained``: it is fitted on the training part. ``supervised``: with labels.
``out_of_fold``: a feature-level fusion that is given the heads' out-of-fold probabilities.
``standardise``: whether the harness standardises this encoder's embeddings. ``sparse``: an
encoder returns CSR; an alignment, fusion or head accepts CSR (else it is given dense arrays).
``handles_missing``: it accepts NaN rows for missing items. ``sequences``: an encoder offers
``encode_sequence`` besides ``encode``; a feature-level or joint fusion is given sequences.
``finetune``: a frozen encoder offers its network; a joint fusion trains encoders with itself.

*Sequences.* A fusion registered ``sequences`` is given `mmbench.Sequences` of every modality: the
tokens, patches or frames that the encoder's ``encode_sequence`` makes of each item. Of an encoder
without it, they are what ``encode`` makes, as sequences of one vector; of a video through an
encoder of images, a vector per frame. They are standardised where the encoder's embeddings are,
per column over all vectors of the training part. A missing item is one vector, the mean of those
of the training part (``"zero"``: zeros, before standardising), or an empty sequence where the
fusion is registered ``handles_missing``. Alignments are not combined with such a fusion.

*Fine-tuning.* In a cell whose ``finetune`` is ``"full"`` or ``"lora"`` (low-rank adapters, Hu et
al., 2022), a joint fusion registered ``finetune`` is built with that word, if it asks for it (else
it has no ``"lora"`` cells), and has ``fit_items`` and ``predict_proba_items`` called in place of
``fit`` and ``predict_proba``. It is given freshly built encoders by modality, those registered
``finetune``, and these modalities' items, None where a sample lacks one; of the other modalities
features, as ``fit`` is. The encoder's ``module()`` is the network and ``collate(items)`` what it is
called with; where both begin, they embed as ``encode`` does.

*Optional.* An encoder may have ``chunk`` (int): how many items one call of ``encode`` receives
(default 64). A classmethod ``cache_key(**params) -> str`` names the identity of the weights
without loading them; a classmethod ``facts(**params) -> dict`` gives what the column ``params``
shall say besides the options (``{"weights": "random"}``). ``fit`` may leave ``history_``, a list
of dicts, and may call `mmbench.progress`. Whatever is fitted may have ``save(folder)`` and
``load(folder) -> Self``, called on an object built with the same options: fitted state without
pickles.

*Distances.* A feature-level fusion may have ``distance_weights(modalities)``: weights by modality,
w, where a fused vector is the modalities' own, each times its w, side by side in any order, so that
squared distances are the sum of w squared times the modality's; or None. A head may have a
classmethod ``takes_distances(**params) -> bool`` (a factory, an attribute of that name): whether,
with these options, ``fit`` and what predicts take `mmbench.Distances` in place of vectors. It is
given them where embeddings are dense and the distances of a training part take at most 1 GiB. Of
embeddings under a fusion that tells weights above 0, they are measured once per embedding and
training part for all cells, and kept in the store where they take at most 256 MiB.

All of this is what ``mmbench check`` (`mmbench.testing`) looks at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

    from mmbench.jobs import Job, Outcome
    from mmbench.sequences import Sequences

Features = Mapping[str, "np.ndarray"]
"""Embeddings by modality name, ``(n, d_modality)`` each, rows in the same order."""

KINDS = ("image", "text", "audio", "vector", "video")
LEVELS = ("feature", "decision", "joint")


@runtime_checkable
class Dataset(Protocol):
    """Labelled samples with one or more modalities.

    A mistake of the user's (a missing file, a wrong column) is raised by the constructor as
    `ValueError` or `OSError` with a one-line message that names key, file or row.

    Attributes
    ----------
    modalities : mapping of str to str
        Name to kind (one of `KINDS`), in the dataset's order.
    labels : ndarray of int64, shape (n,)
        Codes into `classes`.
    classes : sequence of str
        Class names: false before true, numbers by value, else by string. Of two the last is
        the positive one.
    ids : sequence of str
        Unique, one per sample.
    split : sequence of str, optional
        ``"train"``, ``"validation"`` or ``"test"`` per sample.
    folds : sequence, optional
        A value per sample; every value is the test part once.
    groups : sequence, optional
        A value per sample; splits made by the harness never cut through a group.
    attributes : pandas.DataFrame, optional
        A row per sample: what results may be told apart by.
    """

    modalities: Mapping[str, str]
    labels: np.ndarray
    classes: Sequence[str]
    ids: Sequence[str]

    def items(self, modality: str) -> Sequence[Any]:
        """Return the modality's items, one per sample, decoded on access; None where missing.

        ``image``: `PIL.Image.Image` of any mode. ``text``: str. ``audio``: an object with
        ``samples`` (frames, channels) float32 and ``sample_rate``. ``vector``: 1-D float array.
        ``video``: a sequence of images with ``frame_rate`` (frames a second). The sequence may
        have an attribute ``missing`` (bool array, one per sample), so that nothing is decoded to
        count them.
        """
        ...

    def fingerprint(self, modality: str) -> str:
        """Return a string that changes when the modality's content does."""
        ...


@runtime_checkable
class Encoder(Protocol):
    """Turns items of one kind into embeddings. Frozen: nothing is learnt from the dataset."""

    def encode(self, items: Sequence[Any]) -> np.ndarray:
        """Embed items, none of them None.

        Returns
        -------
        ndarray of float32, shape (n, d), or CSR where registered ``sparse``
            Row i belongs to item i; all values finite; d the same in every call.
        """
        ...


@runtime_checkable
class SequenceEncoder(Encoder, Protocol):
    """An encoder that offers more than one vector per item, too. Registered ``sequences=True``."""

    def encode_sequence(self, items: Sequence[Any]) -> Sequences:
        """Return as many vectors as an item has tokens, patches or frames, at least one.

        Returns
        -------
        Sequences of float32, (t, d) each
            Sequence i belongs to item i; all values finite; d the same in every call (it need not
            be that of `encode`).
        """
        ...


@runtime_checkable
class TunableEncoder(Encoder, Protocol):
    """A frozen encoder whose network can be trained on. Registered ``finetune=True``."""

    def module(self) -> Any:
        """Return the network, a `torch.nn.Module`: the same object in every call.

        Called with what `collate` returns it gives embeddings, a float32 tensor (n, d), through
        which gradients flow. In evaluation mode, before it is trained, they are those of `encode`
        up to rounding.
        """
        ...

    def collate(self, items: Sequence[Any]) -> Any:
        """Return items, none of them None, as one batch for the network, on the CPU.

        A tensor, or tuples, lists and dicts of tensors.
        """
        ...


@runtime_checkable
class TrainedEncoder(Encoder, Protocol):
    """An encoder fitted on the training part. Registered ``trained=True``."""

    def fit(
        self,
        items: Sequence[Any],
        labels: np.ndarray | None,
        *,
        validation: tuple[Sequence[Any], np.ndarray | None] | None = None,
    ) -> Self:
        """Fit on training items; ``labels`` is None unless registered ``supervised``."""
        ...


@runtime_checkable
class Alignment(Protocol):
    """Learnt across modalities: embeddings in, embeddings out."""

    def fit(self, features: Features, labels: np.ndarray | None) -> Self:
        """Fit on the training part; ``labels`` is None unless registered ``supervised``."""
        ...

    def transform(self, features: Features) -> Features:
        """Map the embeddings of any samples; same modalities, same rows."""
        ...


@runtime_checkable
class FeatureFusion(Protocol):
    """Several embeddings to one vector per sample; a head follows. ``level="feature"``.

    Registered ``trained`` it has ``fit(features, labels)``, its labels None unless registered
    ``supervised``; registered ``out_of_fold`` also, ``fit(features, labels, out_of_fold=...)``
    with the heads' out-of-fold probabilities by modality. Registered ``sequences`` it is given
    `mmbench.Sequences` in place of arrays.
    """

    def transform(self, features: Features) -> np.ndarray:
        """Return the fused vectors, shape (n, d)."""
        ...


@runtime_checkable
class DecisionFusion(Protocol):
    """The probabilities of one head per modality to one decision. ``level="decision"``.

    Registered ``trained`` it has ``fit(probabilities, labels)`` and is given out-of-fold
    probabilities, (n, k) per modality.
    """

    def predict_proba(self, probabilities: Features) -> np.ndarray:
        """Return class probabilities, shape (n, k), rows summing to 1."""
        ...


@runtime_checkable
class JointFusion(Protocol):
    """Learns fusion and classification together; no head follows. ``level="joint"``.

    Registered ``sequences`` it is given `mmbench.Sequences` in place of arrays.
    """

    def fit(
        self,
        features: Features,
        labels: np.ndarray,
        *,
        validation: tuple[Features, np.ndarray] | None = None,
    ) -> Self:
        """Fit on the training part's embeddings."""
        ...

    def predict_proba(self, features: Features) -> np.ndarray:
        """Return class probabilities, shape (n, k), rows summing to 1."""
        ...


@runtime_checkable
class TuningFusion(JointFusion, Protocol):
    """A joint fusion that can train encoders with itself. Registered ``finetune=True``."""

    def fit_items(
        self,
        encoders: Mapping[str, TunableEncoder],
        items: Mapping[str, Any],
        labels: np.ndarray,
        *,
        validation: tuple[Mapping[str, Any], np.ndarray] | None = None,
    ) -> Self:
        """Fit on the training part's items, and on the embeddings of what has no encoder here."""
        ...

    def predict_proba_items(self, items: Mapping[str, Any]) -> np.ndarray:
        """Return class probabilities, shape (n, k), rows summing to 1."""
        ...


@runtime_checkable
class Head(Protocol):
    """A classifier over vectors, following scikit-learn's conventions.

    A head offers ``predict_proba(X) -> (n, k)``, or only ``decision_function(X)``: then the
    harness calibrates it by temperature scaling over the inner folds, which keeps its decision.
    Features come standardised; a head does not scale.
    """

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Fit on float64 features (n, d), or CSR where registered ``sparse``."""
        ...


@runtime_checkable
class Metric(Protocol):
    """One figure from true and predicted labels.

    Labels are codes into the dataset's classes. Return NaN where the metric does not apply.
    """

    higher_is_better: bool
    needs: Literal["labels", "probabilities"]

    def __call__(
        self, truth: np.ndarray, predicted: np.ndarray, probabilities: np.ndarray | None
    ) -> float:
        """Score ``predicted`` (n,); ``probabilities`` (n, n_classes) where ``needs`` says so."""
        ...


@runtime_checkable
class Runner(Protocol):
    """Executes jobs somewhere, built as ``target(context, slots, timeout)``.

    The harness decides which job is next and what a failure means for the others; a runner only
    has jobs performed (`mmbench.jobs.perform`) and says how each ended (`mmbench.jobs.Outcome`,
    `mmbench.jobs.death` for a process that died). It has no options. It is given by keyword what
    it asks for of ``address`` (``--address``, or None), ``jobs`` (``--jobs``, or None) and
    ``resources``: by kind of job what ``[resources]`` says of ``cpus``, ``gpus`` and
    ``memory_gb``. Where it has a method ``start()``, this is called once, before the first job,
    and may return a line to be printed. Both raise a mistake of the user's as `ValueError` or
    `OSError`.
    """

    slots: int
    """How many jobs it works on at once; the harness keeps that many submitted."""

    def submit(self, job: Job) -> None:
        """Have a job performed; its inputs are in the store."""
        ...

    def wait(self, timeout: float | None = None) -> Sequence[tuple[Job, Outcome]]:
        """Block until a submitted job has ended, or ``timeout`` seconds; return the ended."""
        ...

    def activity(self) -> Sequence[tuple[Job, float | None]]:
        """Return the jobs under way, with the share that is done where a job tells it."""
        ...

    def close(self) -> None:
        """Stop everything at once, jobs in progress included."""
        ...
