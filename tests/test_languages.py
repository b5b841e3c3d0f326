"""What reports say, they say in every language: nothing is left in English, nothing is unused."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest
from jinja2 import Environment, nodes

from mmbench.errors import UserError
from mmbench.report import html, latex, markdown
from mmbench.report.gather import gather
from mmbench.report.language import ENGLISH, language, languages
from tests.made_runs import HOSTILE, Page, fused, hostile_rows, matrix_rows, row, write_run
from tests.ranked_runs import told_apart, write_ranked

REPORT = Path(html.__file__).parent
FILES = sorted(path for kind in ("*.py", "*.j2") for path in REPORT.rglob(kind))
HAN = re.compile("[\u4e00-\u9fff]")
SAME = {"GPUs", "{modality} by {encoder}"}
"""What needs no Chinese word."""


def said_in_python(source: str) -> Iterator[ast.expr]:
    """Yield what is passed to ``say`` and ``say.count`` as text."""
    for call in ast.walk(ast.parse(source)):
        if isinstance(call, ast.Call):
            called = ast.unparse(call.func).split(".")
            if called[-1] == "say":
                yield call.args[0]
            elif called[-2:] == ["say", "count"]:
                yield from call.args[1:3]


def said_in_template(source: str) -> Iterator[nodes.Expr]:
    """Yield what is passed to ``say`` and ``say.count`` as text."""
    for call in Environment().parse(source).find_all(nodes.Call):
        match call.node:
            case nodes.Name(name="say"):
                yield call.args[0]
            case nodes.Getattr(node=nodes.Name(name="say"), attr="count"):
                yield from call.args[1:3]


def said(file: Path) -> set[str]:
    """Return the texts that a file says; each has to stand there as it is."""
    source = file.read_text("utf-8")
    if file.suffix == ".py":
        found = [
            arg.value if isinstance(arg, ast.Constant) else arg for arg in said_in_python(source)
        ]
    else:
        exprs = said_in_template(source)
        found = [arg.value if isinstance(arg, nodes.Const) else arg for arg in exprs]
    assert all(isinstance(text, str) for text in found), f"{file.name}: {found}"
    return {text for text in found if isinstance(text, str)}


def fields(text: str) -> list[str]:
    """Return the names of a text's fields."""
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("code", languages()[1:])
def test_all_that_is_said_has_a_translation(code: str) -> None:
    words = language(code).words
    texts = {text for file in FILES for text in said(file)}
    assert len(texts) > 150
    assert sorted(texts - words.keys()) == []
    assert sorted(words.keys() - texts) == []
    for text, translated in words.items():
        assert fields(text) == fields(translated), text


def test_chinese_is_chinese() -> None:
    for text, translated in language("zh").words.items():
        has_words = re.search("[a-zA-Z]{3}", re.sub(r"\{.*?\}", "", text))
        assert HAN.search(translated) or not has_words or text in SAME, text
        assert not re.search(r"[\u4e00-\u9fff] ?[,;:?!(]|[,;:?!)] ?[\u4e00-\u9fff]", translated)


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """Return the tables of a run that is ranked, and of one with everything else in it."""
    folder = tmp_path_factory.mktemp("runs")
    rows = [*matrix_rows(), *hostile_rows()]
    rows += [fused(50, corruption=f"image blur {level}") for level in (1, 3)]
    rows += [fused(60, train_size="0.5"), fused(61), row(62, status="failed", reason="")]
    weights = '{"encoder.image": {"weights": "random"}}'
    rows += [row(63, dataset="pets", params=weights)]
    hostile = write_run(folder / "hostile", rows, **HOSTILE)
    return [write_ranked(folder / "ranked", told_apart()), hostile]


def visible(page: Page) -> str:
    """Return what a reader of a page sees or hears."""
    told = [text for tag, text in page.texts if tag not in ("script", "style")]
    names = ("aria-label", "title", "placeholder", "alt")
    told += [attrs[name] or "" for _, attrs in page.elements for name in names if name in attrs]
    return " ".join(" ".join(told).split())


def fragments() -> set[str]:
    """Return the English between the fields of what is said, where it is three words or more."""
    found = set()
    for text in language("zh").words:
        parts = [" ".join(literal.split()) for literal, *_ in Formatter().parse(text)]
        found |= {part for part in parts if len(re.findall("[A-Za-z]+", part)) >= 3}
    return found


def test_a_report_in_chinese_has_no_english_of_ours(tables: list[object]) -> None:
    english = {form: told(tables, "en") for form, told in FORMS.items()}
    chinese = {form: told(tables, "zh") for form, told in FORMS.items()}
    for form in FORMS:
        assert sum(part in english[form] for part in fragments()) > 12, form
        assert [part for part in fragments() if part in chinese[form]] == [], form
        assert "置信区间" in chinese[form]
    heading = {"md": ": 失败\n", "tex": ": 失败}"}
    assert all(text in chinese[form] for form, text in heading.items())
    assert "image（hog（随机权重））" in chinese["html"] + chinese["md"]


def told_html(tables: list[object], code: str) -> str:
    page = Page(html.render(gather(tables, say=language(code))))
    assert page.of("html")[0]["lang"] == code
    return visible(page)


FORMS = {
    "html": told_html,
    "md": lambda tables, code: markdown.render(gather(tables, say=language(code))),
    "tex": lambda tables, code: latex.render(gather(tables, say=language(code))),
}


def test_names_stay_as_they_are_in_chinese(tables: list[object]) -> None:
    ranked = gather(tables[:1], say=language("zh"))
    text = markdown.render(ranked)
    assert "| modalities" in text
    assert "按平均 accuracy 最优：**image（hog） + 文本（tf-idf）, " in text


def test_a_language_says_fields_as_they_are() -> None:
    for say in (ENGLISH, language("zh")):
        name = say("{modality} by {encoder}", modality="{x}", encoder="{0} %s")
        assert "{x}" in name
        assert "{0} %s" in name
        told = [say.count(n, "{n} combination", "{n} combinations") for n in (0, 1, 2)]
        assert [int(re.findall(r"\d", text)[0]) for text in told] == [0, 1, 2]
    assert ENGLISH.count(1, "{n} combination", "{n} combinations") == "1 combination"
    assert ENGLISH.count(0, "{n} combination", "{n} combinations") == "0 combinations"
    with pytest.raises(UserError, match="there is no language 'zn'; valid: en, zh"):
        language("zn")
    assert "en" not in {file.stem for file in (REPORT / "languages").glob("*.toml")}
    for file in (REPORT / "languages").glob("*.toml"):
        assert tomllib.loads(file.read_text("utf-8"))
