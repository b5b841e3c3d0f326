"""Metrics of single-label classification."""

from __future__ import annotations

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_metrics(register: Callable[..., None]) -> None:
    """Register the metrics; scikit-learn is imported when one is built."""
    for name, summary in {
        "accuracy": "share of samples labelled right",
        "balanced_accuracy": "mean recall over the classes present",
        "f1_macro": "F1, mean over classes",
        "f1_weighted": "F1, mean over classes by their size",
        "f1_micro": "F1 of all decisions together",
        "precision_macro": "precision, mean over classes",
        "recall_macro": "recall, mean over classes",
        "roc_auc": "area under the ROC curve; one-vs-rest, mean over classes",
        "log_loss": "mean negative log-likelihood",
        "ece": "expected calibration error of the most probable class (Guo et al. 2017)",
    }.items():
        register(name, f"mmbench_metrics.scores:{name}", summary=summary)
