"""The machine and the versions that a run was made with."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from importlib import metadata
from typing import Any

from mmbench.catalogue import Catalogue
from mmbench.errors import UserError


def environment(catalogue: Catalogue) -> dict[str, Any]:
    """Describe machine, interpreter, plugins and the versions of what they require."""
    names = {"mmbench"}
    for plugin in catalogue.plugins:
        if plugin.distribution is not None:
            names.add(plugin.distribution.name)
    distributions = [metadata.distribution(name) for name in sorted(names)]
    requirements = {
        _name(requirement)
        for distribution in distributions
        for requirement in distribution.requires or []
        if "extra ==" not in requirement
    }
    return {
        "machine": machine(),
        "python": sys.version.split()[0],
        "mmbench": metadata.version("mmbench"),
        "plugins": {
            plugin.name: plugin.version or plugin.identity
            for plugin in catalogue.plugins
            if not plugin.error and plugin.name != "mmbench"
        },
        "versions": {name: _version(name) for name in sorted(requirements - names)},
    }


def machine() -> dict[str, Any]:
    """Describe the machine: what a timing depends on."""
    import psutil

    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "gpus": gpus(),
    }


def gpus() -> list[str]:
    """Return the names of the NVIDIA GPUs that the driver lists."""
    if shutil.which("nvidia-smi") is None:
        return []
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in listed.stdout.splitlines() if line.strip()]


def resolve_device(asked: str) -> str:
    """Return ``"cuda"`` or ``"cpu"`` for ``auto``, ``cpu`` or ``cuda``."""
    if asked == "cpu":
        return "cpu"
    found = bool(gpus())
    if asked == "cuda" and not found:
        raise UserError("--device cuda: no NVIDIA GPU is listed by the driver; use cpu or auto")
    return "cuda" if found else "cpu"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _name(requirement: str) -> str:
    from packaging.requirements import Requirement

    return Requirement(requirement).name


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
