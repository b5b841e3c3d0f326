"""Plotly's script, as a page that needs nothing else carries it."""

from __future__ import annotations

import base64
import hashlib
import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True)
class Packed:
    """A script in a page.

    Attributes
    ----------
    text : str
        Compressed (zlib), in base64; a browser's ``DecompressionStream`` takes it as ``deflate``.
    digest : str
        What a Content-Security-Policy allows it by.
    """

    text: str
    digest: str


@lru_cache(maxsize=1)
def packed() -> Packed:
    """Return the script of the Plotly that is installed."""
    script = files("plotly").joinpath("package_data", "plotly.min.js").read_bytes()
    return Packed(base64.b64encode(zlib.compress(script, 6)).decode(), digest(script))


def digest(script: bytes) -> str:
    """Return the hash source of a script, as Content-Security-Policy 3 writes it."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script).digest()).decode()
