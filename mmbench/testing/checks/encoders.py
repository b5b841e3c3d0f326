"""What is asked of encoders."""

from __future__ import annotations

import inspect
import shutil
import tempfile
import types
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.errors import one_line
from mmbench.options import signature
from mmbench.sequences import checked_sequences
from mmbench.testing.arrays import copied, difference, is_sparse, take
from mmbench.testing.kit import BrokenContractError, NotApplicable, Suite
from mmbench.testing.specimens import odd_items
from mmbench.testing.subject import EncoderSubject

suite = Suite()


@suite.check(
    "dtype",
    why="Embeddings are stored as float32; another type is refused, its cells fail.",
    mend="End with `.astype(np.float32)`; convert once, not item by item.",
    needs=("rows",),
)
def dtype(subject: EncoderSubject) -> None:
    """Embeddings are float32."""
    values = subject.first.encode(subject.test)
    if values.dtype != np.float32:
        raise BrokenContractError(f"encode returned {values.dtype}; float32 was expected")


@suite.check(
    "sparse-flag",
    why="How embeddings are stored and standardised is planned before any is made.",
    mend="Register sparse=True if, and only if, `encode` returns a CSR matrix.",
    needs=("rows",),
)
def sparse_flag(subject: EncoderSubject) -> None:
    """It returns CSR if, and only if, it is registered sparse."""
    values = subject.first.encode(subject.test)
    if subject.entry.sparse and getattr(values, "format", None) != "csr":
        raise BrokenContractError(f"it is registered sparse, but returned {type(values).__name__}")
    if not subject.entry.sparse and is_sparse(values):
        raise BrokenContractError("it is not registered sparse, but returned a sparse matrix")


@suite.check(
    "odd-items",
    why="Real data hold such items; one that raises costs all cells of its encoder.",
    mend="Convert what is given (mode, channels, sampling rate); pad what is too short; return "
    "zeros where there is nothing to see.",
    needs=("finite", "width"),
)
def odd(subject: EncoderSubject) -> str:
    """Valid but unusual items are embedded, each to a finite row."""
    found = odd_items(subject.request.kind)
    expected = (1, *copied(subject.apply(subject.first, subject.test))[""].shape[1:])
    for what, item in found.items():
        try:
            values = copied(subject.apply(subject.first, [item]))[""]
        except Exception as error:
            raise BrokenContractError(f"{what} raises {one_line(error, 200)}") from error
        if values.shape != expected:
            raise BrokenContractError(
                f"of {what} it returned shape {values.shape}; {expected} was expected"
            )
        if not np.isfinite(values).all():
            raise BrokenContractError(f"of {what} it returned NaN or infinite values")
    return f"{len(found)} items"


@suite.check(
    "sequences",
    why="A fusion that takes sequences is given, as sample i's, the vectors that were stored for "
    "item i; padding among them, or another item's, looks like content.",
    mend="Return `mmbench.Sequences.of` an array (t, d) for each item, in the order given: cut off "
    "padding, and give at least one vector, also of the empty text.",
    needs=("dtype", "batch-size", "odd-items"),
)
def sequences(subject: EncoderSubject) -> str:
    """``encode_sequence`` gives every item its own vectors, alone and among others."""
    if not subject.entry.sequences:
        raise NotApplicable("it is not registered sequences")
    encode, n = subject.first.encode_sequence, subject.n_test
    whole = checked_sequences(encode(subject.test), n)
    order = np.random.default_rng(4).permutation(n)
    for what, parts in {"in another order": [order], "alone": np.split(order, n)}.items():
        for rows in parts:
            made = checked_sequences(encode(take(subject.test, rows)), len(rows))
            for item, ours, theirs in zip(rows, made, whole[rows], strict=True):
                if ours.shape != theirs.shape:
                    told = f"shape {ours.shape} where {theirs.shape} was expected"
                elif (gap := difference({"": theirs}, {"": ours})) > subject.tolerance:
                    told = f"another result, by {gap:.1e} of the largest value"
                else:
                    continue
                raise BrokenContractError(f"{what}, the sequence of item {item} is of {told}")
    for what, odd_item in odd_items(subject.request.kind).items():
        made = checked_sequences(encode([odd_item]), 1)
        if made.values.shape[1] != whole.values.shape[1]:
            raise BrokenContractError(f"of {what} it returned vectors of another length")
    return f"{whole.lengths.min()} to {whole.lengths.max()} vectors (t, {whole.values.shape[1]})"


@suite.check(
    "finetune",
    why="A fusion that trains an encoder begins with its network: where that embeds otherwise than "
    "`encode`, frozen and fine-tuned cells are of different encoders.",
    mend="Let `encode` and `module` share all that makes embeddings of a prepared batch; detach "
    "nothing in it.",
    needs=("dtype", "batch-size"),
)
def finetune(subject: EncoderSubject) -> str:
    """The network that can be trained embeds as ``encode`` does, and gradients flow."""
    if not subject.entry.finetune or subject.entry.trained:
        raise NotApplicable("it is not registered finetune, as a frozen one")
    encoder = subject.build()
    network = encoder.module()
    if encoder.module() is not network:
        raise BrokenContractError("asked twice, module gave two objects")
    made = network.eval()(encoder.collate(subject.test))
    if not made.requires_grad:
        raise BrokenContractError("no gradient flows through what module returns")
    told = {"": made.detach().numpy()}
    if told[""].dtype != np.float32:
        raise BrokenContractError(f"module made {told[''].dtype}; float32 was expected")
    if (gap := difference(subject.output, told)) > subject.tolerance:
        raise BrokenContractError(
            f"module's embeddings are other than encode's, by {gap:.1e} of the largest value"
        )
    return f"{sum(p.numel() for p in network.parameters()):,} parameters"


@suite.check(
    "chunk",
    why="The harness gives `encode` that many items at once.",
    mend="Leave `chunk` out, or make it a positive int.",
    needs=("builds",),
)
def chunk(subject: EncoderSubject) -> str:
    """``chunk``, where there is one, is a positive int."""
    size = getattr(subject.build(), "chunk", None)
    if size is None:
        raise NotApplicable("it declares no chunk")
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise BrokenContractError(f"chunk is {size!r}; a positive int was expected")
    return str(size)


@suite.check(
    "cache-key",
    why="Stored embeddings are found again under the weights' identity: a key that stays the same "
    "where weights differ returns another network's vectors.",
    mend="Make it a classmethod of the parameters that returns the hash of the weights' files, or "
    "what names them for good; build and load nothing in it.",
    needs=("determinism",),
)
def cache_key(subject: EncoderSubject) -> str:
    """``cache_key`` is known without loading, and differs where weights do."""
    if not hasattr(subject.target, "cache_key"):
        if weights := list(_files(subject)):
            raise BrokenContractError(
                f"the weights come from {weights[0]}, and there is no cache_key for them"
            )
        raise NotApplicable("it has no cache_key, and no weights from files")
    typed = signature(subject.entry).validate(subject.request.params, subject.entry.name)
    key = _key(subject, typed)
    if key != _key(subject, typed):
        raise BrokenContractError("asked twice, cache_key gave two keys")
    for option in _files(subject):
        _changed_weights(subject, typed, option, key)
    return key if len(key) <= 40 else f"{key[:40]}..."


def _key(subject: EncoderSubject, typed: dict[str, Any]) -> str:
    """Ask for the key, with all options as the plan does, where nothing can be built."""
    target = subject.target
    typed = signature(subject.entry).with_defaults(typed)
    if not inspect.isclass(target):
        found = target.cache_key(**typed)
    else:
        blocked: Any = types.new_class("Unbuilt", (target,), {}, lambda b: b.update(_BLOCKED))
        try:
            found = blocked.cache_key(**typed)
        except _BuiltError:
            raise BrokenContractError("cache_key builds the encoder") from None
        except TypeError as error:
            raise BrokenContractError(
                f"cache_key cannot be called on the class: {error}"
            ) from error
    if not isinstance(found, str) or not found:
        raise BrokenContractError(f"cache_key returned {found!r}; a text was expected")
    return found


class _BuiltError(Exception):
    """The encoder was built."""


def _refuse(*_: Any, **__: Any) -> None:
    raise _BuiltError


_BLOCKED = {"__init__": _refuse}


def _files(subject: EncoderSubject) -> dict[str, Path]:
    """Return the options given that name files or folders, as ``PATH`` or ``PREFIX:PATH``."""
    typed = signature(subject.entry).validate(subject.request.params, subject.entry.name)
    found = {}
    for name, value in typed.items():
        if isinstance(value, str | Path):
            path = Path(str(value).rpartition(":")[2])
            if str(value) and path.exists():
                found[name] = path
    return found


def _changed_weights(subject: EncoderSubject, typed: dict[str, Any], option: str, key: str) -> None:
    """See that a changed byte in the weights changes the key."""
    weights = _files(subject)[option]
    with tempfile.TemporaryDirectory(prefix="mmbench-check-") as name:
        copy = Path(name) / weights.name
        if weights.is_dir():
            shutil.copytree(weights, copy)
        else:
            shutil.copy2(weights, copy)
        files = [copy] if copy.is_file() else [p for p in copy.rglob("*") if p.is_file()]
        largest = max(files, key=lambda path: path.stat().st_size)
        content = bytearray(largest.read_bytes())
        content[len(content) // 2] ^= 0xFF
        largest.write_bytes(content)
        given = typed[option]
        prefix = str(given)[: len(str(given)) - len(str(weights))]
        changed = {**typed, option: type(given)(f"{prefix}{copy}")}
        if _key(subject, changed) == key:
            raise BrokenContractError(f"another content of {option} has the same cache_key")
