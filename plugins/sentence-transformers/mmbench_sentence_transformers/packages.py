"""Models that installed Python packages carry."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path


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
