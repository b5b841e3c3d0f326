"""What goes wrong through nobody's bug: the user's mistakes, and damaged files in the store."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake of the user's, told in one line that names file, key or row (exit status 2)."""


class PluginError(Exception):
    """What a plugin handed over is not what its contract says."""


class TooFewSamplesError(PluginError, ValueError):
    """A training part is too small for what is to be made of it."""


class DamagedArtefactError(Exception):
    """A stored artefact whose content does not match its checksum; it has been removed."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def did_you_mean(word: str, valid: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"``, or the valid names where none is near."""
    names = sorted(set(map(str, valid)))
    folded = {name.casefold(): name for name in names}
    near = difflib.get_close_matches(word.casefold(), folded, n=1)
    if near:
        return f"; did you mean {folded[near[0]]!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; valid: {shown}"


def printable(text: str) -> str:
    """Return the text with what UTF-8 cannot hold escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def one_line(error: BaseException, limit: int = 500) -> str:
    """Return ``Type: message`` on one line, cut at ``limit`` characters."""
    try:
        message = printable(" ".join(str(error).split()))
    except Exception:  # it cannot even say what it is
        message = ""
    text = f"{type(error).__name__}: {message}" if message else type(error).__name__
    return text if len(text) <= limit else text[: limit - 3] + "..."
