"""Plugins that are merely unusual pass the conformance kit."""

from __future__ import annotations

import pytest

from tests.verdicts import of_file

UNUSUAL = {
    "unusual": (
        *("one-column", "many-columns", "large-chunk", "factory", "namespace", "partial"),
        *("rich-options", "any-keyword", "many-kinds", "constant", "double-inside", "slots"),
        *("frozen-dataclass", "remembers", "own-random-state", "refuses-nothing", "sparse"),
        *("sparse-and-trained", "supervised", "picky", "sorts-inside", "key", "saved"),
        "as-sequences",
    ),
    "unusual_learners": (
        *("other-widths", "only-pairs", "lazy-mapping"),
        *("equal-widths", "first-only", "drawn-projection", "csr-to-csr", "missing-as-zero"),
        *("stacked", "loudest", "majority", "learnt-weights", "ridge"),
        *("ends", "ridge-of-ends"),
        *("decisions-only", "pipeline", "majority-class"),
        *("agreement", "regret", "first-class", "numpy-scalar"),
    ),
}


@pytest.mark.parametrize(
    ("file", "name"), [(file, name) for file, names in UNUSUAL.items() for name in names]
)
def test_an_unusual_one_passes(file: str, name: str) -> None:
    for verdict in of_file(file)[name]:
        assert {f.check: f.what for f in verdict.failures} == {}
        unreached = [f.check for f in verdict.findings if f.what.startswith("not reached")]
        assert unreached == []
        assert verdict.count("passed") > 5


@pytest.mark.parametrize("file", UNUSUAL)
def test_none_is_forgotten(file: str) -> None:
    assert of_file(file).keys() == set(UNUSUAL[file])


def test_one_of_many_kinds_is_checked_on_each() -> None:
    kinds = [verdict.kind for verdict in of_file("unusual")["many-kinds"]]
    assert kinds == ["text", "image", "video"]


@pytest.mark.parametrize(
    ("name", "check", "remark"),
    [
        ("large-chunk", "chunk", "500"),
        ("key", "cache-key", "weights 2024"),
        ("own-random-state", "determinism", "seeded"),
        ("picky", "tiny-fit", "one sample: ValueError"),
        ("only-pairs", "modality-count", "3: ValueError"),
        ("first-only", "distance-weights", "m0 1, m1 0"),
        ("as-sequences", "sequences", "vectors (t, 2)"),
        ("decisions-only", "probabilities", "decision values"),
        ("first-class", "odd-cases", "does not apply"),
    ],
)
def test_what_is_remarkable_is_remarked(name: str, check: str, remark: str) -> None:
    file = next(file for file, names in UNUSUAL.items() if name in names)
    (verdict,) = of_file(file)[name]
    (found,) = [f for f in verdict.findings if f.check == check]
    assert found.status == "passed"
    assert remark in found.what
