"""The dataset ``digits``: handwritten digits with their names, written and spoken."""

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register the dataset."""
    register(
        "digits",
        "mmbench_digits.dataset:Digits",
        summary="1,797 handwritten digits, each named in writing and in speech in many languages",
    )
