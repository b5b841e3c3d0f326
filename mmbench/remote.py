"""A store at a URL that many machines reach, with a folder of this one as its read cache.

An artefact is ``KEY/meta.json``, which commits it, beside its arrays in ``KEY/CHECKSUM/``: two
writers of one key never mix their files, and the last record written is the artefact.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmbench.errors import DamagedArtefactError, UserError, one_line
from mmbench.store import ABANDONED, FORMAT, Artefact, Store, read_meta

PATIENCE = 60.0
"""Seconds that requests are repeated for while the server does not answer."""

LONGEST_PAUSE = 5.0
"""Seconds between two of them, at most."""

_LASTING = (
    *(FileNotFoundError, PermissionError, FileExistsError, NotADirectoryError),
    *(NotImplementedError, ImportError, TypeError, ValueError),
)


def cache_folder() -> Path:
    """Return ``MMBENCH_STORE_CACHE``, or a folder in the user's cache folder."""
    import platformdirs

    given = os.environ.get("MMBENCH_STORE_CACHE")
    return Path(given or Path(platformdirs.user_cache_dir("mmbench"), "remote")).expanduser()


def _may_pass(error: BaseException) -> bool:
    """Tell whether a request that failed may succeed later; each cloud has errors of its own."""
    return (
        isinstance(error, Exception)
        and not isinstance(error, _LASTING)
        and "Credential" not in type(error).__name__
    )


class RemoteStore(Store):
    """The artefacts under an fsspec URL of an object store, shared by any number of machines.

    Parameters
    ----------
    url : str
        Such as ``s3://bucket/prefix``.

    Raises
    ------
    UserError
        It cannot be written to, or its library is not installed; from any method also where the
        server has not answered for `PATIENCE` seconds.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            import tenacity
            from fsspec.core import url_to_fs

            self._fs, root = url_to_fs(url)
        except ImportError as error:
            hint = "pip install 'mmbench[remote]' for s3://"
            raise UserError(f"store {url}: {one_line(error)}; {hint}") from None
        except Exception as error:  # of any of fsspec's file systems
            raise UserError(f"store {url}: cannot be used: {one_line(error)}") from None
        if not root.strip("/"):
            raise UserError(f"store {url}: a bucket was expected, such as s3://bucket/prefix")
        self._root = f"{root.rstrip('/')}/v{FORMAT}"
        self._retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_may_pass),
            wait=tenacity.wait_random_exponential(0.5, LONGEST_PAUSE),
            stop=tenacity.stop_after_delay(PATIENCE),
            before_sleep=self._tell,
            reraise=True,
        )
        self._cache = Store(cache_folder())
        super().__init__(self._cache.folder)
        try:
            self._ask("pipe_file", f"{self._root}/.mmbench", b"")
        except FileNotFoundError as error:
            raise UserError(f"store {url}: cannot be used: {one_line(error)}") from None

    @property
    def location(self) -> str | Path:
        """Where it is, as `store_at` takes it, for any process."""
        return self.url

    def __contains__(self, key: str) -> bool:
        try:
            self._ask("info", self._record(key))
        except FileNotFoundError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        """Return the keys of all artefacts, from one listing."""
        return iter(sorted(key for key, files in self._listed().items() if "meta.json" in files))

    def present(self, keys: Iterable[str]) -> set[str]:
        """Return which of the keys are there, from one listing."""
        return set(keys).intersection(self)

    def open(self, key: str) -> Artefact:
        """Open an artefact from the cache, where it is brought to and verified.

        Raises
        ------
        DamagedArtefactError
            It is not there, or not what was written; what is left of it is removed.
        """
        if key in self._cache:
            with suppress(DamagedArtefactError):  # then the cache has dropped it
                return self._cache.open(key)
        content = self._read(key)
        try:
            meta = read_meta(content, key)
            there = f"{self._shelf(key)}/{meta['checksum']}"
            with self._cache._new(key) as folder:
                names = list(meta["files"])
                files = [str(folder / Path(name).name) for name in names]
                if names:
                    self._ask("get", [f"{there}/{name}" for name in names], files)
                (folder / "meta.json").write_bytes(content)
                Artefact(folder, key).verify()
                self._cache._publish(folder, key)
        except (FileNotFoundError, DamagedArtefactError):
            self.remove(key)
            raise DamagedArtefactError(key) from None
        return self._cache.open(key)

    def verify(self, key: str) -> None:
        """Compare what the server has with its checksums; raise `DamagedArtefactError`."""
        self._cache.remove(key)
        self.open(key)

    def meta(self, key: str) -> dict[str, Any] | None:
        """Return what was recorded with an artefact; None where it is not there or damaged."""
        if (cached := self._cache.meta(key)) is not None:
            return cached
        try:
            return read_meta(self._read(key), key)
        except DamagedArtefactError:
            return None

    def size(self, key: str) -> int:
        """Return an artefact's bytes on the server."""
        found = self._ask("find", self._shelf(key), detail=True)
        return sum(info["size"] for info in found.values())

    def made(self, key: str) -> float:
        """Return when an artefact was written, in seconds since the epoch."""
        modified: float = self._ask("modified", self._record(key)).timestamp()
        return modified

    def remove(self, key: str) -> None:
        """Remove an artefact, whatever state it is in, from the server and the cache."""
        for path in (self._record(key), self._shelf(key)):  # from its record on it is gone
            with suppress(FileNotFoundError):
                self._ask("rm", path, recursive=True)
        self._cache.remove(key)

    def sweep(self) -> None:
        """Remove what killed processes left behind: arrays without a record after a day."""
        self._cache.sweep()
        newest = time.time() - ABANDONED
        for key, files in self._listed().items():
            if "meta.json" not in files:
                times = [self._ask("modified", f"{self._shelf(key)}/{name}") for name in files]
                if max(moment.timestamp() for moment in times) < newest:
                    self.remove(key)

    def _publish(self, folder: Path, key: str) -> None:
        """Upload a finished artefact, its record last, unless a whole one is there."""
        if key in self:  # another process was faster
            return
        meta = Artefact(folder, key).meta
        there = f"{self._shelf(key)}/{meta['checksum']}"
        names = list(meta["files"])
        files = [str(folder / name) for name in names]
        if names:
            self._ask("put", files, [f"{there}/{name}" for name in names])
        self._ask("pipe_file", self._record(key), (folder / "meta.json").read_bytes())
        self._cache._publish(folder, key)

    def _shelf(self, key: str) -> str:
        return f"{self._root}/{key[:2]}/{key}"

    def _record(self, key: str) -> str:
        return f"{self._shelf(key)}/meta.json"

    def _read(self, key: str) -> bytes:
        """Return an artefact's record as the server has it."""
        try:
            content: bytes = self._ask("cat_file", self._record(key))
        except FileNotFoundError:
            raise DamagedArtefactError(key) from None
        return content

    def _listed(self) -> dict[str, list[str]]:
        """Return the files of every key, relative to it."""
        listed: dict[str, list[str]] = {}
        for path in self._ask("find", self._root):
            _, _, inner = path.partition(f"{self._root.lstrip('/')}/")
            _, _, of_key = inner.partition("/")
            key, slash, name = of_key.partition("/")
            if slash:
                listed.setdefault(key, []).append(name)
        return listed

    def _ask(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call a method of the file system, again where the server does not answer.

        Raises
        ------
        FileNotFoundError
            There is no such object.
        UserError
            It failed for another reason, or for too long.
        """
        self._fs.invalidate_cache()  # other machines write too
        try:
            return self._retrying(getattr(self._fs, method), *arguments, **options)
        except FileNotFoundError:
            raise
        except Exception as error:  # each file system has its own
            raise UserError(f"store {self.url}: {one_line(error)}") from error

    def _tell(self, state: Any) -> None:
        """Say once that the server does not answer, while it is asked again."""
        if state.attempt_number == 1:
            why = one_line(state.outcome.exception())
            message = "store %s: trying again for up to %g s: %s"
            logging.getLogger(__name__).warning(message, self.url, PATIENCE, why)
