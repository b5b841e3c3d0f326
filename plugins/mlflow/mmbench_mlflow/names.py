"""Names and values as MLflow takes them: nothing refused, and nothing cut without a trace."""

from __future__ import annotations

import hashlib
import re

KEY_LENGTH = 250
"""Characters of the name of a run, a parameter, a metric or a tag."""
VALUE_LENGTH = 6000
"""Characters of the value of a parameter; that of a tag may be longer."""


def key(name: str) -> str:
    """Return a name of a parameter, metric or tag that MLflow accepts.

    Letters of any script, digits, ``_``, ``-``, ``.`` and spaces stay; each other character becomes
    ``_``. A name that had to be changed ends in a hash of what it was, so that no two become one.
    """
    return _marked(re.sub(r"[^\w.\- ]", "_", name), name, KEY_LENGTH)


def text(value: str, length: int = VALUE_LENGTH) -> str:
    """Return a value that MLflow accepts: where it is too long, cut, and a hash of the whole."""
    return _marked(value.encode("utf-8", "backslashreplace").decode(), value, length)


def digest(value: str) -> str:
    """Return 16 hexadecimal digits that stand for a text (SHA-256)."""
    return hashlib.sha256(value.encode("utf-8", "backslashreplace")).hexdigest()[:16]


def _marked(changed: str, original: str, length: int) -> str:
    if changed == original and len(changed) <= length:
        return changed
    mark = f"-{digest(original)[:8]}"
    return changed[: length - len(mark)] + mark
