import inspect
import pkgutil
import subprocess
import sys

import mmbench_heads


def registered():
    entries = {}
    mmbench_heads.mmbench_register_heads(
        lambda name, target, **flags: entries.update({name: (target, flags)})
    )
    return entries


def test_names_and_flags():
    flags = {name: flags for name, (_, flags) in registered().items()}
    assert all(flags[name].pop("summary") for name in flags)
    assert flags == {
        "svm": {"sparse": True},
        "random-forest": {"sparse": True},
        "extra-trees": {"sparse": True},
        "gradient-boosting": {},
        "logistic-regression": {"sparse": True},
        "ridge": {"sparse": True},
        "k-nearest": {"sparse": True},
        "naive-bayes": {},
        "mlp": {"sparse": True},
        "xgboost": {},
        "lightgbm": {"sparse": True},
    }


def parameters(name):
    target, _ = registered()[name]
    return inspect.signature(pkgutil.resolve_name(target)).parameters


def test_only_what_is_random_asks_for_a_seed():
    """The others share their jobs between seeds, over-sampled or not."""
    assert {name for name in registered() if "seed" in parameters(name)} == {
        "random-forest",
        "extra-trees",
        "mlp",
    }


def test_every_head_can_over_sample_and_the_right_ones_weigh_classes():
    assert all("oversample" in parameters(name) for name in registered())
    assert {name for name in registered() if "class_weight" not in parameters(name)} == {
        "k-nearest",
        "naive-bayes",
        "mlp",
        "xgboost",
    }


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_heads as p\n"
        "p.mmbench_register_heads(lambda *a, **k: None)\n"
        "libraries = ('numpy', 'scipy', 'sklearn', 'xgboost', 'lightgbm')\n"
        "print([m for m in libraries if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_libraries_are_imported_when_a_head_is_built():
    script = (
        "import sys, mmbench_heads.classifiers, mmbench_heads.forests, mmbench_heads.boosting\n"
        "print([m for m in ('sklearn', 'xgboost', 'lightgbm') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
