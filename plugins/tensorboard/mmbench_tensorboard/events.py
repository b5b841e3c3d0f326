"""Files of events as TensorBoard reads them, each written wholly or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

EVENTS = "events.out.tfevents"
"""How the names of such files begin."""
NAME_BYTES = 200
"""How long the name of a folder gets, in UTF-8."""

Event = tuple[float, int, Any]
"""Seconds since 1970, step and TensorBoard's ``Summary``."""


def write_events(folder: Path, events: Iterable[Event]) -> None:
    """Write events into a new file in a folder, which is made.

    Parameters
    ----------
    folder : pathlib.Path
        What TensorBoard calls a run.
    events : iterable of (float, int, Summary)
        Time in seconds since 1970, step, and what there is then.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / ".writing"
    now = time.time()
    with open(temporary, "wb") as file:
        records = RecordWriter(file)
        records.write(Event(wall_time=now, file_version="brain.Event:2").SerializeToString())
        for at, step, summary in events:
            event = Event(wall_time=at, step=step, summary=summary)
            records.write(event.SerializeToString())
    os.replace(temporary, folder / f"{EVENTS}.{now:.6f}.mmbench")


def folder_name(text: str) -> str:
    """Return a name that a folder may have anywhere; a changed one ends in a hash of the text."""
    named = re.sub(r'[\x00-\x1f\x7f\ud800-\udfff<>:"/\\|?*]', "_", text).strip(" .")
    if named and named == text and len(named.encode()) <= NAME_BYTES:
        return named
    return f"{named.encode()[:NAME_BYTES].decode(errors='ignore')} {digest(text)}".strip()


def digest(text: str) -> str:
    """Return 8 hexadecimal digits that stand for a text (SHA-256)."""
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]
