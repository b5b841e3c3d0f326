"""A run's folder: what lies in it, and what an earlier run has left there."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmbench.errors import UserError
from mmbench.results import predictions_file

if TYPE_CHECKING:
    from mmbench.data import DatasetSpec, Samples

JOURNAL = "journal.jsonl"
PROGRESS = "progress.json"
"""There while a run goes on, and after one that did not come to its end."""
ATTRIBUTES = "attributes.parquet"
"""Where datasets bring attributes: ``dataset``, ``id``, ``attribute`` and ``value``."""

FIRST = {".lock", "logs", "predictions", ".environment.json.new"}
"""What lies in a folder whose run was killed before it had written its name; the lock is first."""


class RunFolder:
    """The folder that one run of a matrix file owns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def claimed(self, name: str) -> Iterator[None]:
        """Hold the folder for this process, or raise `UserError` where it is another's."""
        from filelock import FileLock, Timeout

        if self.path.exists() and not self.path.is_dir():
            raise UserError(f"--out {self.path}: is a file; a folder was expected")
        other = self.name
        found = {file.name for file in self.path.iterdir()} if self.path.is_dir() else set()
        if other is None and found and not (".lock" in found and found <= FIRST):
            raise UserError(f"--out {self.path}: holds other files and no run; choose another")
        if other is not None and other != name:
            raise UserError(f"--out {self.path}: holds the run {other!r}, not {name!r}")
        lock = FileLock(self.path / ".lock")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0.5)  # whoever asks `is_claimed` holds it for an instant
            for folder in (self.path / "logs", self.path / "predictions"):
                folder.mkdir(exist_ok=True)
        except Timeout:
            raise UserError(f"--out {self.path}: another process is running it") from None
        except OSError as error:
            raise UserError(f"--out {self.path}: cannot be made: {error.strerror}") from None
        try:
            yield
        finally:
            lock.release()

    @property
    def is_claimed(self) -> bool:
        """Whether a process holds the folder now; it is released when that process ends."""
        import fcntl

        try:
            lock = os.open(self.path / ".lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    @property
    def name(self) -> str | None:
        """The name of the run that lies here, None where there is none."""
        try:
            record = json.loads((self.path / "environment.json").read_text("utf-8"))
            return str(record["run"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write_json(self, name: str, value: Any) -> None:
        """Write a JSON file, wholly or not at all."""
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str) + "\n"
        self.write_text(name, text)

    def write_text(self, name: str, text: str) -> None:
        """Write a text file, wholly or not at all."""
        file = self.path / name
        file.parent.mkdir(exist_ok=True)
        temporary = file.with_name(f".{file.name}.new")
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
        os.replace(temporary, file)

    def write_matrix(self, raw: Mapping[str, Any], specs: Iterable[DatasetSpec]) -> None:
        """Write the matrix file as run: variables expanded, overrides applied, paths absolute."""
        import tomli_w

        blocks = []
        for block, spec in zip(raw["datasets"], specs, strict=True):
            paths = {k: str(v) for k, v in spec.params.items() if isinstance(v, Path)}
            blocks.append({**block, **paths})
        self.write_text("matrix.toml", tomli_w.dumps({**raw, "datasets": blocks}))

    def write_attributes(self, datasets: Iterable[Samples]) -> None:
        """Write the attributes of a run's samples; remove what an earlier run has left."""
        tables = [
            samples.attributes.map(_text)
            .set_axis(list(samples.ids))
            .rename_axis("id")
            .melt(var_name="attribute", value_name="value", ignore_index=False)
            .reset_index()
            .assign(dataset=samples.name)
            for samples in datasets
            if samples.attributes is not None
        ]
        file = self.path / ATTRIBUTES
        if not tables:
            file.unlink(missing_ok=True)
            return
        import pandas as pd

        temporary = file.with_suffix(".new")
        pd.concat(tables).to_parquet(temporary, index=False)
        os.replace(temporary, file)

    def journal(self) -> dict[str, dict[str, Any]]:
        """Return the newest line of each cell, a line that was cut while written left out."""
        lines: dict[str, dict[str, Any]] = {}
        try:
            content = (self.path / JOURNAL).read_bytes()
        except FileNotFoundError:
            return lines
        for line in content.split(b"\n"):
            try:
                record = json.loads(line)
                lines[record["row"]["cell"]] = record
            except (ValueError, KeyError, TypeError):
                continue
        return lines

    def append(self, row: Mapping[str, Any], fingerprint: str) -> None:
        """Append a finished cell to the journal."""
        record = json.dumps({"fingerprint": fingerprint, "row": row}, ensure_ascii=False)
        with open(self.path / JOURNAL, "ab") as file:
            file.write(b"\n" * _is_cut(file) + record.encode() + b"\n")

    def compact(self, records: list[dict[str, Any]]) -> None:
        """Rewrite the journal with these lines only."""
        text = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        self.write_text(JOURNAL, text)

    def note_progress(self, cells: int, statuses: Mapping[str, int]) -> None:
        """Note how many cells there are, how many have a row, and where the journal goes on."""
        journal = self.path / JOURNAL
        noted = {
            "noted": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "cells": cells,
            "statuses": statuses,
            "journal": journal.stat().st_size if journal.exists() else 0,
        }
        self.write_json(PROGRESS, noted)

    def drop(self, cell: str) -> None:
        """Remove what lies here of a cell that has failed or left the file."""
        predictions_file(self.path, cell).unlink(missing_ok=True)
        (self.path / "fits" / f"{cell}.json").unlink(missing_ok=True)

    def forget_logs(self) -> None:
        """Empty the folder of logs."""
        shutil.rmtree(self.path / "logs", ignore_errors=True)
        (self.path / "logs").mkdir(exist_ok=True)  # a worker of a killed run may still write there


def _is_cut(file: Any) -> bool:
    """Whether a journal ends within a line."""
    if file.tell() == 0:
        return False
    with open(file.name, "rb") as reader:
        reader.seek(-1, os.SEEK_END)
        return reader.read(1) != b"\n"


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value)
