"""Each fusion has a page, and the page tells its options."""

import inspect
import pkgutil
import re
from pathlib import Path

import mmbench_fusions
import pytest

FOLDER = Path(__file__).parents[1]
PAGES = FOLDER / "pages"
FUSIONS = {name: target for name, target, *_ in mmbench_fusions.FUSIONS}
HEADINGS = ["Formula", "Source", "Parameters", "Cost", "When to use it"]
GIVEN = {"seed", "device", "threads", "n_classes"}


def sections(name):
    """Return a page's title, and its sections by heading."""
    text = (PAGES / f"{name}.md").read_text("utf-8")
    title, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    return title, {part.partition("\n")[0]: part.partition("\n")[2].strip() for part in parts}


def test_there_is_a_page_for_each_and_no_other():
    assert {page.stem for page in PAGES.iterdir()} == set(FUSIONS)


def test_the_table_of_the_readme_links_them_all():
    rows = re.findall(
        r"^\| \[`(.+?)`\]\(pages/(.+?)\.md\) \| (\w+)",
        (FOLDER / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    assert [(name, page) for name, page, _ in rows] == [(name, name) for name in FUSIONS]
    levels = {name: flags["level"] for name, _, flags, _ in mmbench_fusions.FUSIONS}
    assert {name: level for name, _, level in rows} == levels


@pytest.mark.parametrize("name", FUSIONS)
def test_five_headings_with_something_below(name):
    title, parts = sections(name)
    assert title.startswith(f"# `{name}`\n")
    assert list(parts) == HEADINGS
    assert all(len(text) > 4 for text in parts.values())
    assert re.search(r"\b(1[5-9]|20)\d\d\b", parts["Source"]), "the source has a year"
    assert "O(" in parts["Cost"]


@pytest.mark.parametrize("name", FUSIONS)
def test_the_options_and_their_defaults_are_in_the_table(name):
    parameters = inspect.signature(
        pkgutil.resolve_name(f"mmbench_fusions.{FUSIONS[name]}")
    ).parameters
    text = sections(name)[1]["Parameters"]
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    options = {n: str(p.default) for n, p in parameters.items() if n not in GIVEN}
    if "weights" in options:
        options["weights"] = "equal"
    assert told == options
    assert ("mmbench gives the seed" in text) == ("seed" in parameters)
