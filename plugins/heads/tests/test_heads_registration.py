import subprocess
import sys

import mmbench_heads


def test_all_heads_accept_sparse_features():
    entries = {}
    mmbench_heads.mmbench_register_heads(
        lambda name, target, **flags: entries.update({name: flags})
    )
    assert all(flags.pop("summary") for flags in entries.values())
    assert entries == {
        name: {"sparse": True} for name in ("svm", "random-forest", "logistic-regression")
    }


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_heads as p\n"
        "p.mmbench_register_heads(lambda *a, **k: None)\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
