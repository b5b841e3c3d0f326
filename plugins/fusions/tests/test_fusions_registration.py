import pkgutil
import subprocess
import sys

import mmbench_fusions


def registered():
    entries = {}
    mmbench_fusions.mmbench_register_fusions(
        lambda name, target, **flags: entries.update({name: (target, flags)})
    )
    return entries


def test_names_levels_and_flags():
    flags = {name: flags for name, (_, flags) in registered().items()}
    assert all(flags[name].pop("summary") for name in flags)
    assert flags == {
        "concat": {"level": "feature", "sparse": True},
        "weighted-sum": {"level": "feature"},
        "learned-weighted-sum": {
            "level": "feature",
            "trained": True,
            "supervised": True,
            "out_of_fold": True,
        },
        "product": {"level": "feature"},
        "max": {"level": "feature"},
        "mean": {"level": "feature"},
        "mean-probability": {"level": "decision"},
        "weighted-mean": {"level": "decision"},
        "product-rule": {"level": "decision"},
        "max-rule": {"level": "decision"},
        "vote": {"level": "decision"},
        "stacking": {"level": "decision", "trained": True},
    }


def test_targets_offer_what_their_level_asks_for():
    for target, flags in registered().values():
        fusion = pkgutil.resolve_name(target)()
        assert hasattr(fusion, "transform" if flags["level"] == "feature" else "predict_proba")
        assert hasattr(fusion, "fit") == flags.get("trained", False)


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_fusions as p\n"
        "p.mmbench_register_fusions(lambda *a, **k: None)\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
