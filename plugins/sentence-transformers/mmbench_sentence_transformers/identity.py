"""What weights a model has, known without loading them: a hub commit, or the hash of files.

Nothing here imports torch: the plan asks for every encoder's identity.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

TIMEOUT = 10.0
"""Seconds in which the hub has to answer."""


def pinned(repository: str) -> str:
    """Return ``name@commit`` of a hub repository ``name`` or ``name@revision``.

    The commit is the one in the local hub cache; only if there is none the hub is asked.

    Raises
    ------
    Exception
        Whatever huggingface_hub raises where the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi, resolve_revision
    from huggingface_hub.errors import RevisionResolutionError

    name, _, given = repository.partition("@")
    revision = given or None
    try:
        commit = resolve_revision(name, revision=revision, local_files_only=True)
    except RevisionResolutionError:
        HfApi().model_info(name, revision=revision, timeout=TIMEOUT)  # resolving has no time limit
        commit = resolve_revision(name, revision=revision)
    return f"{name}@{commit.resolved}"


def packaged(name: str) -> Path:
    """Return the model folder inside an installed Python package; the package is not imported.

    Raises
    ------
    FileNotFoundError
        If the package is not installed or holds no model of sentence-transformers.
    """
    spec = find_spec(name.replace("-", "_"))
    roots = (spec.submodule_search_locations if spec else None) or []
    found = sorted(file.parent for root in roots for file in Path(root).rglob("modules.json"))
    if not found:
        what = "holds no model of sentence-transformers" if spec else "is not installed"
        raise FileNotFoundError(f"the package {name!r} {what}")
    return found[0]


def content(folder: Path) -> str:
    """Return the hash of all files of a folder and their names.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder")
    digest = hashlib.sha256()
    for file in sorted(p for p in folder.rglob("*") if p.is_file()):
        stat = file.stat()
        digest.update(f"{file.relative_to(folder).as_posix()}\0".encode())
        digest.update(_file_hash(file, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


@cache
def _file_hash(file: Path, size: int, modified: int) -> bytes:
    """Hash a file once as long as its size and time stay."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
