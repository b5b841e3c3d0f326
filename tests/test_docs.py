"""What the documentation says is so: its pages are executed from top to bottom."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import get_args
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from pydantic import BaseModel

from mmbench.config import MatrixFile, Use
from tests import checks_page, matrix_page
from tests.pages import PageError, blocks, check_page, throwaway_environment

ROOT = Path(__file__).parent.parent
PLUGINS = ROOT / "docs" / "plugins"
PAGES = [
    ROOT / "README.md",
    *(ROOT / f"{name}.md" for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted(PLUGINS.glob("*.md")),
]
TRANSLATED = {
    ROOT / "README.zh-CN.md": ROOT / "README.md",
    **{page: ROOT / "docs" / page.name for page in sorted((ROOT / "docs" / "zh").glob("*.md"))},
}
"""Pages in Chinese, and those in English that are executed in their place."""
AS_TYPED = {"README.md", "docs/plugins/tutorial.md"}
"""Pages whose every command has a process of its own, as it has for their readers."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return an empty folder, in which a page is executed."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return the variables under which a page's commands run."""
    throwaway = throwaway_environment(tmp_path / "venv")
    return {**throwaway, "MMBENCH_STORE": str(tmp_path / "store")}


def write_leaves(folder: Path) -> None:
    """Write the data that README.md takes for given: leaves of four species, and their margins."""
    rng = np.random.default_rng(5)
    rows = []
    for number in range(60):
        species = number % 4
        pixels = rng.integers(0, 90, size=(24, 24), dtype=np.uint8)
        pixels[:, 4 * species : 4 * species + 4] += 90
        file = f"leaf{number}.png"
        (folder / "leaf").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / "leaf" / file)
        margin = rng.normal(species, 1, size=3).round(3)
        rows.append([number, file, f"species {species}", *margin])
    columns = ["id", "image", "species", "margin1", "margin2", "margin3"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "leaf" / "manifest.csv", index=False)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_page_does_what_it_says(page: Path, folder: Path, environment: dict[str, str]) -> None:
    if name(page) == "README.md":
        write_leaves(folder)
    check_page(page, folder, environment, here=name(page) not in AS_TYPED)


def test_the_reference_of_checks_is_that_of_the_kit() -> None:
    written = (PLUGINS / "checks.md").read_text(encoding="utf-8")
    assert written == checks_page.page(), (
        "write it again: python tests/checks_page.py > docs/plugins/checks.md"
    )

    headings = re.findall("^#+ .*$", written, flags=re.MULTILINE)
    assert len(headings) == len(set(headings))


def test_the_reference_of_the_matrix_file_is_that_of_its_models() -> None:
    written = (ROOT / "docs" / "matrix.md").read_text(encoding="utf-8")
    assert written == matrix_page.page(), (
        "write it again: python tests/matrix_page.py > docs/matrix.md"
    )
    assert set(matrix_page.SECTIONS) == set(models(MatrixFile)) | {Use}


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Yield a model and all that its keys hold."""
    yield model
    for field in model.model_fields.values():
        waiting = [field.annotation]
        while waiting:
            part = waiting.pop()
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from models(part)
            waiting += get_args(part)


@cache
def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    seen: Counter[str] = Counter()
    found = set()
    for opening, content in pairwise(tokens):
        if opening.type == "heading_open":
            slug = re.sub(r"[^\w\- ]", "", content.content.lower()).replace(" ", "-")
            found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
            seen[slug] += 1
    return found


def links(page: Path) -> Iterator[str]:
    """Return where a page's links to files of the repository lead."""
    for token in MarkdownIt().enable("table").parse(page.read_text(encoding="utf-8")):
        for child in token.children or ():
            target = unquote(str(child.attrs.get("href", "")))
            if target and "://" not in target:
                yield target


@pytest.mark.parametrize("page", [*PAGES, *TRANSLATED], ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        file, _, anchor = target.partition("#")
        found = page.parent / file if file else page
        assert found.exists(), target
        assert not anchor or anchor in anchors(found), target


def test_every_page_is_found_from_the_readme() -> None:
    reached, waiting = set(), [PAGES[0]]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            targets = (target.partition("#")[0] for target in links(page))
            waiting += [(page.parent / target).resolve() for target in targets if target]
    assert {*PAGES, *TRANSLATED} <= reached


@pytest.mark.parametrize("page", TRANSLATED, ids=name)
def test_a_translation_is_in_step(page: Path) -> None:
    assert skeleton(page) == skeleton(TRANSLATED[page])


def skeleton(page: Path) -> list[tuple[str, ...]]:
    """Return the levels of a page's headings, and its code without comments, in order."""
    found: list[tuple[str, ...]] = []
    for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
        if token.type == "heading_open":
            found.append((token.tag,))
        elif token.type == "fence":
            found.append((token.info, re.sub(r" +# .*", "", token.content)))
    return found


# --- what executes them ------------------------------------------------------------------------

FENCE = "```"


@pytest.mark.parametrize(
    ("language", "content", "found"),
    [
        ("console", "$ echo one; echo two\none", "printed"),
        ("console", "$ echo one\nOne", "printed"),
        ("console", "$ echo one two; echo three\none ... three", "printed"),
        ("console", "$ exit 3", "ended with 3, not 0"),
        ("console", "$ true  # exit 1", "ended with 0, not 1"),
        ("console", "$ false | cat", "ended with 1, not 0"),
        ("console", "no command", "begins with a command"),
        ("python", "raise SystemExit(2)", "ended with 2, not 0"),
        ("toml", "a = 1", "no file, no console and no script"),
        ("", "anything", "no file, no console and no script"),
        ('text title="../out.txt"', "anything", "not in the page's folder"),
    ],
)
def test_what_is_not_so_is_found(language: str, content: str, found: str, folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(f"# Page\n\n{FENCE}{language}\n{content}\n{FENCE}\n")
    environment = throwaway_environment(folder / "venv")
    with pytest.raises(PageError, match=re.escape(found)) as error:
        check_page(page, folder, environment)
    assert "page.md, line 3" in str(error.value)


def test_blocks_are_executed_in_order(folder: Path) -> None:
    page = folder / "page.md"
    page.write_text(
        f"""
{FENCE}text title="deep/a.txt"
one
two, three
{FENCE}

- {FENCE}python
  print("four", file=open("deep/a.txt", "a"))
  {FENCE}

<!-- not executed: it would be lost -->
{FENCE}console
$ rm deep/a.txt
{FENCE}

{FENCE}console
$ cat deep/a.txt; exit 5  # exit 5
...
two, ...

$ wc --lines < deep/a.txt
3
{FENCE}
"""
    )
    assert [block.reason for block in blocks(page)] == ["", "", "it would be lost", ""]
    with pytest.raises(PageError, match="four"):
        check_page(page, folder, throwaway_environment(folder / "venv"))
    page.write_text(page.read_text().replace("two, ...\n", "two, ...\n...\n"))
    check_page(page, folder, throwaway_environment(folder / "venv2"))
