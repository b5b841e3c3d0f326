"""What stored results depend on besides their job: the code of plugins and its requirements."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any


def is_editable(distribution: metadata.Distribution) -> bool:
    """Whether a distribution is installed in place, so that its version says little."""
    text = distribution.read_text("direct_url.json") or "{}"
    return bool(json.loads(text).get("dir_info", {}).get("editable"))


def source_hash(source: Path | None) -> str:
    """Hash a source file, or all files of a package folder, bytecode aside."""
    digest = hashlib.sha256()
    if source is None:
        return ""
    files = [source] if source.is_file() else sorted(p for p in source.rglob("*") if p.is_file())
    for file in files:
        if "__pycache__" not in file.parts:
            digest.update(str(file.relative_to(source)).encode() + b"\0")
            digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def requirements(distribution: metadata.Distribution) -> list[str]:
    """Return ``name version`` of a distribution's direct requirements that are installed.

    Of one that is installed in place also the hash of its source, and its own requirements:
    plugins share code. mmbench itself is left out there, as its source enters every job's key.
    Extras count, as a plugin may use them where they are there; those for its tests do not.
    """
    found: set[str] = set()
    for requirement in distribution.requires or []:
        if re.search(r"extra\s*==\s*['\"](test|dev|bench|docs)['\"]", requirement):
            continue
        name = re.split(r"[\s;<>=!~\[(]", requirement, maxsplit=1)[0]
        found.update(_installed(name))
    return sorted(found)


@cache
def _installed(name: str) -> tuple[str, ...]:
    try:
        distribution = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return ()
    told = f"{name} {distribution.version}"
    spec = importlib.util.find_spec(re.sub(r"[-.]+", "_", name)) if name != "mmbench" else None
    if spec is None or spec.origin is None or not is_editable(distribution):
        return (told,)
    source = Path(spec.origin)
    source = source.parent if source.name == "__init__.py" else source
    return (f"{told} {source_hash(source)}", *requirements(distribution))


def content_hash(target: Any) -> str:
    """Hash a registered target: its code, or where it lies in a module, that file's content."""
    import cloudpickle

    content = cloudpickle.dumps(target)
    # cloudpickle marks classes with ids that are random in each process
    random = getattr(cloudpickle.cloudpickle, "_DYNAMIC_CLASS_TRACKER_BY_CLASS", {}).values()
    marks = sorted(
        {m for m in random if m.encode() in content}, key=lambda m: content.find(m.encode())
    )
    for number, mark in enumerate(marks):
        content = content.replace(mark.encode(), b"%032d" % number)
    digest = hashlib.sha256(content).hexdigest()
    of_object = getattr(target, "__module__", None) or "__main__"
    module = target.partition(":")[0] if isinstance(target, str) else of_object
    if module != "__main__":
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError):
            spec = None
        if spec is not None and spec.origin and Path(spec.origin).is_file():
            digest += f" {source_hash(Path(spec.origin))}"
    return digest
