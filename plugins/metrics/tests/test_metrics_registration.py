import pkgutil
import subprocess
import sys

import mmbench_metrics

NEED_PROBABILITIES = {"roc_auc", "log_loss", "ece"}
LOWER_IS_BETTER = {"log_loss", "ece"}


def registered():
    targets = {}
    mmbench_metrics.mmbench_register_metrics(
        lambda name, target, *, summary: targets.update({name: target})
    )
    return targets


def test_the_columns_of_the_table_are_there():
    assert list(registered()) == [
        "accuracy",
        "balanced_accuracy",
        "f1_macro",
        "f1_weighted",
        "f1_micro",
        "precision_macro",
        "recall_macro",
        "roc_auc",
        "log_loss",
        "ece",
    ]


def test_each_says_what_it_needs_and_which_way_is_better():
    for name, target in registered().items():
        metric = pkgutil.resolve_name(target)()
        assert metric.needs == ("probabilities" if name in NEED_PROBABILITIES else "labels")
        assert metric.higher_is_better == (name not in LOWER_IS_BETTER)


def test_registering_imports_no_library():
    script = (
        "import sys, mmbench_metrics as p\n"
        "p.mmbench_register_metrics(lambda *a, **k: None)\n"
        "print([m for m in ('numpy', 'scipy', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
