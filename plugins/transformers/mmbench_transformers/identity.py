"""What weights a model has, known without loading them: a hub commit, or the hash of files.

Nothing here imports torch: the plan asks for every encoder's identity.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

TIMEOUT = 10.0
"""Seconds in which the hub has to answer."""


def pinned(repository: str, revision: str | None = None) -> str:
    """Return the commit that a hub repository's revision (default: its main branch) stands for.

    The commit is the one in the local hub cache; only if there is none the hub is asked.

    Raises
    ------
    Exception
        Whatever huggingface_hub raises where the hub cannot be reached or refuses.
    """
    from huggingface_hub import HfApi, resolve_revision
    from huggingface_hub.errors import RevisionResolutionError

    try:
        commit = resolve_revision(repository, revision=revision, local_files_only=True)
    except RevisionResolutionError:
        HfApi().model_info(repository, revision=revision, timeout=TIMEOUT)  # resolving has no limit
        commit = resolve_revision(repository, revision=revision)
    return str(commit.resolved)


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
