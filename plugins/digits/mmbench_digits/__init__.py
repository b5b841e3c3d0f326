"""The dataset ``digits``: handwritten digits with their names in many languages."""

from collections.abc import Callable

from mmbench import hookimpl


@hookimpl
def mmbench_register_datasets(register: Callable[..., None]) -> None:
    """Register the dataset."""
    register(
        "digits",
        "mmbench_digits.dataset:Digits",
        summary="1,797 handwritten digits, each with its name or numeral in one of many languages",
    )
