"""Which hub repository the weights of a name of timm's lie in."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache

_REPOSITORIES = """
import json, timm
configs = {n: timm.get_pretrained_cfg(n) for n in timm.list_models() + timm.list_pretrained()}
print(json.dumps({n: c.hf_hub_id for n, c in configs.items() if c is not None and c.hf_hub_id}))
"""


@cache
def repositories() -> dict[str, str]:
    """Return the hub repository of every network of timm, by name with and without tag.

    timm is asked in a process of its own, as importing it imports torch.
    """
    command = [sys.executable, "-c", _REPOSITORIES]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
