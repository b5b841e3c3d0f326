import inspect
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


FEATURE = {"level": "feature"}
SPARSE = {"level": "feature", "sparse": True}
WEIGHED = {"level": "feature", "trained": True, "supervised": True, "out_of_fold": True}
DECISION = {"level": "decision", "handles_missing": True}
LEARNED = {"level": "decision", "handles_missing": True, "trained": True}
STACKED = {"level": "decision", "trained": True}


def test_names_levels_and_flags():
    flags = {name: flags for name, (_, flags) in registered().items()}
    assert all(flags[name].pop("summary") for name in flags)
    assert flags == {
        "concat": SPARSE,
        "weighted-sum": FEATURE,
        "learned-weighted-sum": WEIGHED,
        "product": FEATURE,
        "max": FEATURE,
        "mean": FEATURE,
        "outer-product": FEATURE,
        "compact-bilinear": SPARSE,
        "random-projection": SPARSE,
        "feature-selection": {"level": "feature", "trained": True, "supervised": True},
        "kernel-sum": WEIGHED,
        "kernel-product": WEIGHED,
        "nystrom-kernel-sum": WEIGHED,
        "nystrom-kernel-product": WEIGHED,
        "mean-probability": DECISION,
        "weighted-mean": DECISION,
        "learned-weighted-mean": LEARNED,
        "product-rule": DECISION,
        "max-rule": DECISION,
        "min-rule": DECISION,
        "median": DECISION,
        "vote": DECISION,
        "borda": DECISION,
        "dempster-shafer": DECISION,
        "learned-dempster-shafer": LEARNED,
        "stacking": STACKED,
        "random-forest-stacking": STACKED,
    }


def test_targets_offer_what_their_level_asks_for():
    seeded = set()
    for name, (target, flags) in registered().items():
        build = pkgutil.resolve_name(target)
        if "seed" in inspect.signature(build).parameters:
            seeded.add(name)
        fusion = build(seed=0) if name in seeded else build()
        assert hasattr(fusion, "transform" if flags["level"] == "feature" else "predict_proba")
        assert hasattr(fusion, "fit") == flags.get("trained", False)
    assert seeded == {
        "compact-bilinear",
        "random-projection",
        "feature-selection",
        "nystrom-kernel-sum",
        "nystrom-kernel-product",
        "random-forest-stacking",
    }


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_fusions as p\n"
        "p.mmbench_register_fusions(lambda *a, **k: None)\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
