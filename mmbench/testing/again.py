"""The same plugin in a fresh process: built from name and options, applied to the same rows."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmbench.testing.arrays import Arrays, copied
from mmbench.testing.kit import BrokenContractError
from mmbench.testing.samples import DatasetSubject, fingerprints
from mmbench.testing.subject import Request, RowSubject

HASH_SEED = "4711"


def encode_request(request: Request) -> str:
    """Return a request as JSON, for another process."""
    content = {
        **vars(request),
        "params": _plain(request.params),
        "registrations": base64.b64encode(request.registrations).decode(),
    }
    return json.dumps(content)


def decode_request(text: str) -> Request:
    """Return the request that `encode_request` wrote."""
    content = json.loads(text)
    content["plugins"] = tuple(content["plugins"])
    content["registrations"] = base64.b64decode(content["registrations"])
    return Request(**content)


def _plain(params: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(v) if isinstance(v, Path) else v for name, v in params.items()}


def repeat(request: Request, *, load: Path | None = None) -> Arrays:
    """Return what a fresh process makes of the rows on which the plugin is tried.

    Parameters
    ----------
    request : Request
        The plugin.
    load : Path, optional
        Load the fitted state from this folder instead of fitting.

    Raises
    ------
    BrokenContractError
        The process fails; its last line is the message.
    """
    with tempfile.TemporaryDirectory(prefix="mmbench-check-") as folder:
        out = Path(folder) / "out.npz"
        command = [sys.executable, "-m", "mmbench.testing.again", str(out), str(load or "")]
        environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED, "CUDA_VISIBLE_DEVICES": ""}
        done = subprocess.run(
            command,
            input=encode_request(request),
            capture_output=True,
            text=True,
            env=environment,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise BrokenContractError(f"in a fresh process it fails: {last}")
        with np.load(out) as arrays:
            return {name.removeprefix("of "): arrays[name] for name in arrays.files}


def main() -> None:
    """Build, fit or load, apply, and save what came out."""
    out, load = Path(sys.argv[1]), sys.argv[2]
    np.random.seed(int(HASH_SEED))
    subject = decode_request(sys.stdin.read()).subject()
    if isinstance(subject, RowSubject):
        fitted = _loaded(subject, Path(load)) if load else subject.made(seed=7)
        made = copied(subject.apply(fitted, subject.test))
    else:
        assert isinstance(subject, DatasetSubject)
        dataset = subject.build()
        made = {**subject.snapshot(dataset), **fingerprints(dataset)}
    np.savez(out, **{f"of {name}": values for name, values in made.items()})


def _loaded(subject: RowSubject, folder: Path) -> Any:
    """Load the fitted state, and fail where that unpickles objects."""
    loading = True

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if loading and event == "pickle.find_class":
            raise BrokenContractError(f"`load` unpickles {'.'.join(map(str, arguments))}")

    sys.addaudithook(watch)
    fitted = subject.build(seed=7).load(folder)
    loading = False
    return fitted


if __name__ == "__main__":
    main()
