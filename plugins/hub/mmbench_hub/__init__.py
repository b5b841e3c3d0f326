"""What weights a model has, known without loading them: a hub commit, or the hash of files.

Nothing here imports torch: a plan asks for every encoder's identity.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

TIMEOUT = 10.0
"""Seconds in which the hub has to answer."""

LONGEST = 160
"""Characters of a cause that are shown."""


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


def content(path: Path) -> str:
    """Return the hash of a file, or of all files of a folder and their names.

    Raises
    ------
    FileNotFoundError
        If there is no such file or folder.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file or folder")
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        stat = file.stat()
        digest.update(f"{file.relative_to(path).as_posix()}\0".encode())
        digest.update(_file_hash(file, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()


@cache
def _file_hash(file: Path, size: int, modified: int) -> bytes:
    """Hash a file once as long as its size and time stay."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()


def cause(error: Exception) -> str:
    """Return an error in one short line; of code that a model brings along, what would run it."""
    line = " ".join(f"{type(error).__name__}: {error}".split())
    if "trust_remote_code" in line:
        return "the model brings code of its own, which is run only with trust_remote_code = true"
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 3]}..."
