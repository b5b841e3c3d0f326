"""The report in a real browser: what is sorted, chosen, drawn and taken away; on phone and desk."""

from __future__ import annotations

import contextlib
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import mmbench as face
from mmbench.report import html
from mmbench.report.gather import gather
from tests.made_runs import HOSTILE, IMAGE, fused, hostile_rows, matrix_rows, write_run

# --- in a browser ------------------------------------------------------------------------------


def opened(browser: Any, table: pd.DataFrame, folder: Path) -> Any:
    """Open a table's report from disk."""
    for log in ("browser", "performance"):
        browser.get_log(log)  # what came before
    file = folder / "report.html"
    file.write_text(html.render(gather([table])), encoding="utf-8")
    browser.get(file.as_uri())
    return browser


def wait(browser: Any, script: str, *arguments: Any) -> Any:
    """Return what a script returns as soon as that is something."""
    for _ in range(200):
        if found := browser.execute_script(script, *arguments):
            return found
        time.sleep(0.05)
    raise AssertionError(f"never came: {script}")


def came(file: Path) -> str:
    """Return what a file says as soon as it is downloaded."""
    for _ in range(200):
        if file.is_file() and file.stat().st_size:
            return file.read_text("utf-8")
        time.sleep(0.05)
    raise AssertionError(f"never came: {file.name}")


def drawn(browser: Any) -> list[str]:
    """Draw all pictures, as one who scrolls through the page does; return their names."""
    names = browser.execute_script(
        "return [...document.querySelectorAll('[data-picture]')].map(p => p.dataset.picture)"
    )
    for name in names:
        script = """
            const plot = document.querySelector(`[data-picture="${arguments[0]}"]`);
            if (!plot.querySelector(".main-svg")) plot.scrollIntoView({ block: "center" });
            return plot.querySelector(".main-svg") !== null;
        """
        wait(browser, script, name)
    return list(names)


def quiet(browser: Any) -> None:
    """Check that there was no error, that the policy blocked nothing and nothing was fetched."""
    assert browser.get_log("browser") == []
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = {
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in urls if not url.startswith(("data:", "blob:"))} == {browser.current_url}


@contextlib.contextmanager
def seen_as(browser: Any, theme: str, width: int) -> Iterator[None]:
    """Let the browser have a width, and a system that is light or dark."""
    features = [{"name": "prefers-color-scheme", "value": theme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def shown_rows(browser: Any, column: str) -> list[str]:
    """Return a column of the rows that are shown."""
    script = """
        const table = document.getElementById("combinations");
        const names = [...table.tHead.rows[0].cells].map((cell) => cell.innerText.trim());
        const rows = [...table.tBodies[0].rows].filter(
            (row) => row.offsetParent !== null && row.className !== "group");
        return rows.map((row) => row.cells[names.indexOf(arguments[0])].textContent);
    """
    found: list[str] = browser.execute_script(script, column)
    return found


def header(browser: Any, column: str) -> Any:
    """Return the header cell of a column."""
    cells = browser.find_elements("css selector", "#combinations thead th")
    return next(cell for cell in cells if cell.text.strip() == column)


@pytest.mark.browser
def test_the_table_is_sorted_by_its_headers(tmp_path: Path, browser: Any) -> None:
    rows = [each for each in matrix_rows() if each["dataset"] == "pets"]
    rows.append(fused(99, fusion="moe", head="", status="failed", reason="boom"))
    table = write_run(tmp_path / "run", rows)
    summary = face.summarise(table)
    opened(browser, table, tmp_path / "run")
    assert header(browser, "accuracy").get_attribute("aria-sort") == "descending"
    for name, ascending in (("log_loss", True), ("f1_macro", False)):
        button = header(browser, name).find_element("tag name", "button")
        for order in (ascending, not ascending):
            button.send_keys("\n")  # by keyboard
            values = summary[name].dropna().sort_values(ascending=order)
            told = [text.split()[0] for text in shown_rows(browser, name)[:-1]]
            assert told == [f"{value:.3f}" for value in values]
            assert shown_rows(browser, "fusion")[-1] == "moe"  # what has no figure is last
            state = header(browser, name).get_attribute("aria-sort")
            assert state == ("ascending" if order else "descending")
        assert header(browser, "accuracy").get_attribute("aria-sort") is None
    header(browser, "params").find_element("tag name", "button").click()
    params = [text for text in shown_rows(browser, "params") if text]
    assert params == ["encoder.image: size=4"] * 2 + ["encoder.image: size=8"] * 2


@pytest.mark.browser
def test_rows_are_chosen_by_text_and_by_axis(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    opened(browser, write_run(tmp_path / "run", matrix_rows()), tmp_path / "run")
    told = browser.find_element("css selector", "#choose output")
    words = browser.find_element("css selector", "#choose input")
    selects = {
        each.get_attribute("name"): Select(each)
        for each in browser.find_elements("css selector", "#choose select[data-column]")
    }
    assert set(selects) == {"dataset", "modalities", "fusion", "head"}
    assert told.text == "20 of 20 combinations"
    selects["dataset"].select_by_visible_text("宠物")
    assert told.text == "10 of 20 combinations"
    assert set(shown_rows(browser, "dataset")) == {"宠物"}
    selects["modalities"].select_by_visible_text("image+文本")
    selects["head"].select_by_visible_text("forest")
    assert told.text == "3 of 20 combinations"
    words.send_keys("SIZE=8 concat")
    assert shown_rows(browser, "params") == ["encoder.image: size=8"]
    words.send_keys(" nowhere")
    assert told.text == "0 of 20 combinations"
    browser.find_element("css selector", "#choose button").click()
    assert len(shown_rows(browser, "head")) == 20
    words.send_keys("文本 vote")
    assert set(shown_rows(browser, "fusion")) == {"vote"}
    assert told.text == "4 of 20 combinations"
    quiet(browser)


FORMULA = "=HYPERLINK(A1)"


@pytest.mark.browser
def test_what_is_shown_is_copied_and_downloaded(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    odd = {"fusion": FORMULA, "head": "-1+1", "log_loss": None, "accuracy": 1e-7}
    bounds = {"log_loss_low": 0.1, "log_loss_high": 1 / 3}
    rows = [*matrix_rows(), fused(90, **odd), fused(91, fusion="moe", accuracy=1e-8, **bounds)]
    table = write_run(tmp_path / "run", rows)
    summary = face.summarise(table)
    opened(browser, table, tmp_path / "run")
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
    Select(browser.find_element("name", "dataset")).select_by_value("=pets")
    browser.find_element("css selector", "#columns summary").click()
    boxes = browser.find_elements("css selector", "#columns label")
    shown = {box.text: box.find_element("tag name", "input") for box in boxes}
    assert not shown["log_loss 95 %"].is_selected()
    assert not header(browser, "f1_macro").get_attribute("hidden")
    names = [cell.text for cell in browser.find_elements("css selector", "#combinations thead th")]
    assert "log_loss 95 %" not in names
    for name in ("log_loss 95 %", "f1_macro", "cost s"):
        shown[name].send_keys(" ")
    names = [cell.text for cell in browser.find_elements("css selector", "#combinations thead th")]
    assert "log_loss 95 %" in names
    assert "f1_macro" not in names
    browser.find_element("name", "download").click()
    file = tmp_path / "combinations.csv"
    assert came(file)
    told = pd.read_csv(file, keep_default_na=False, dtype=str)
    assert list(told.columns[:5]) == ["dataset", "modalities", "fusion", "head", "params"]
    assert "f1_macro" not in told
    expected = summary[summary["dataset"] == "pets"].sort_values("accuracy", ascending=False)
    assert len(told) == len(expected) == 12
    for name in ("accuracy", "accuracy_std", "log_loss", "log_loss_low", "log_loss_high", "n"):
        values = [float(text or "nan") for text in told[name]]
        assert values == pytest.approx(expected[name].tolist(), rel=0, abs=0, nan_ok=True)
    assert told["params"].tolist() == expected["params"].tolist()
    assert told["fusion"].tolist()[-2] == f"'{FORMULA}"
    assert told["head"].tolist()[-2] == "'-1+1"
    browser.execute_cdp_cmd(
        "Browser.grantPermissions",
        {"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]},
    )
    browser.find_element("name", "copy").click()
    wait(browser, "return document.querySelector('#choose output').value.includes('copied')")
    text = browser.execute_async_script(
        "const done = arguments[0]; navigator.clipboard.readText().then(done, (e) => done(`${e}`));"
    )
    with file.open(encoding="utf-8-sig", newline="") as stream:
        assert [line.split("\t") for line in text.split("\n")] == list(csv.reader(stream))
    marked = browser.find_element("name", "text")
    assert not marked.is_displayed()
    refused = "Object.defineProperty(navigator, 'clipboard', { value: undefined })"
    browser.execute_script(refused)
    browser.find_element("name", "copy").click()
    assert marked.get_property("value") == text
    selected = browser.execute_script("return getSelection().toString()")
    assert selected.splitlines() == text.splitlines()
    quiet(browser)


@pytest.mark.browser
def test_rows_are_grouped(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    table = write_run(tmp_path / "run", matrix_rows())
    opened(browser, table, tmp_path / "run")
    by = Select(browser.find_element("name", "group by"))
    assert {option.text for option in by.options} == {
        "nothing", "dataset", "modalities", "fusion", "head", "params"
    }  # fmt: skip
    by.select_by_visible_text("fusion")
    Select(browser.find_element("name", "dataset")).select_by_value("=宠物")
    groups = browser.find_elements("css selector", "#combinations .group")
    summary = face.summarise(table)
    summary = summary[summary["dataset"] == "宠物"]
    best = summary.groupby("fusion")["accuracy"].max().sort_values(ascending=False)
    n = summary["fusion"].value_counts()
    told = [group.text for group in groups]
    assert [text.split(":")[0] for text in told] == list(best.index)
    for text, (name, value) in zip(told, best.items(), strict=True):
        assert text.startswith(f"{name}: {n[name]} of {2 * n[name]}, best accuracy {value:.3f} ±")
    assert shown_rows(browser, "fusion") == [name for name in best.index for _ in range(n[name])]
    quiet(browser)


@pytest.mark.browser
def test_ten_thousand_rows_are_sorted_and_shown_bit_by_bit(tmp_path: Path, browser: Any) -> None:
    rows = [
        fused(i, cell=f"{i}", head=f"head-{i % 100}.", fusion=f"fusion-{i // 100}.")
        for i in range(10_000)
    ]
    table = write_run(tmp_path / "run", rows, predictions=False)
    summary = face.summarise(table)
    opened(browser, table, tmp_path / "run")
    told = browser.find_element("css selector", "#choose output")
    assert told.text == "10000 of 10000 combinations"
    header(browser, "log_loss").find_element("tag name", "button").send_keys("\n")
    values = [f"{value:.3f}" for value in summary["log_loss"].sort_values()]
    shown = shown_rows(browser, "log_loss")
    assert 200 <= len(shown) <= 1000
    assert shown == values[: len(shown)]
    script = """
        const region = document.getElementById("combinations").parentElement;
        region.scrollTop = region.scrollHeight;
        return document.getElementById("combinations").tBodies[0].rows.length > arguments[0];
    """
    wait(browser, script, len(shown))
    shown = shown_rows(browser, "log_loss")
    assert shown == values[: len(shown)]
    browser.find_element("name", "words").send_keys("HEAD-77. fusion-33.")
    assert told.text == "1 of 10000 combinations"
    quiet(browser)


@pytest.mark.browser
def test_pictures_are_drawn_hovered_over_and_follow_the_appearance(
    tmp_path: Path, browser: Any
) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.select import Select

    rows = matrix_rows() + hostile_rows()
    table = write_run(tmp_path / "run", rows, **HOSTILE)
    with seen_as(browser, "light", 1280):
        opened(browser, table, tmp_path / "run")
        # what was not looked at is printed, too
        wait(browser, "return window.Plotly !== undefined")
        undrawn = "return document.querySelectorAll('[data-picture]:not(:has(.main-svg))').length"
        assert browser.execute_script(undrawn) > 0
        browser.execute_cdp_cmd("Page.printToPDF", {})
        assert browser.execute_script(undrawn) == 0
        plot = browser.find_element("css selector", "[data-picture^=tradeoff]")
        browser.execute_script("arguments[0].scrollIntoView({ block: 'center' })", plot)
        points = plot.find_elements("css selector", ".scatterlayer .point")
        assert len(points) >= 10
        ActionChains(browser).move_to_element(points[-1]).perform()
        script = "return arguments[0].querySelector('.hoverlayer .hovertext')?.textContent"
        assert "0." in wait(browser, script, plot)  # the figure of what is pointed at
        tools = plot.find_elements("css selector", ".modebar-btn")
        titles = {tool.get_attribute("data-title") for tool in tools}
        assert {"Download the picture", "Back to the start"} <= titles
        assert not [title for title in titles if "share" in title.lower()]
        behaviour = {"behavior": "allow", "downloadPath": str(tmp_path)}
        browser.execute_cdp_cmd("Browser.setDownloadBehavior", behaviour)
        next(t for t in tools if t.get_attribute("data-title").startswith("Download")).click()
        file = tmp_path / f"{plot.get_attribute('data-picture')}.svg"
        assert came(file).startswith("<svg")

        def inks() -> set[str]:
            script = """
                return [...document.querySelectorAll(".xtick text")].map(
                    (each) => getComputedStyle(each).fill)
            """
            return set(browser.execute_script(script))

        paper = "return getComputedStyle(document.body).backgroundColor"
        (light,) = inks()
        assert browser.execute_script(paper) == "rgb(255, 255, 255)"
        appearance = Select(browser.find_element("css selector", "#appearance select"))
        appearance.select_by_value("dark")
        assert browser.execute_script(paper) == "rgb(20, 23, 26)"
        wait(browser, "return arguments[0].textContent !== ''", plot)
        (dark,) = inks()
        assert dark != light
        appearance.select_by_value("")
        assert inks() == {light}
        assert browser.find_elements("css selector", "img") == []
        quiet(browser)


@pytest.mark.browser
def test_a_page_without_scripts_or_of_an_old_browser_says_so(tmp_path: Path, browser: Any) -> None:
    table = write_run(tmp_path / "run", matrix_rows())
    old = {"source": "delete window.DecompressionStream"}
    added = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", old)
    try:
        opened(browser, table, tmp_path / "run")
        first = browser.find_element("css selector", "[data-picture]")
        browser.execute_script("arguments[0].scrollIntoView()", first)
        script = "return arguments[0].textContent.includes('too old to draw it')"
        wait(browser, script, first)
        quiet(browser)
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened(browser, table, tmp_path / "run")
        note = browser.find_element("css selector", "#pictures noscript p")
        assert note.rect["height"] > 0
        assert len(browser.find_elements("css selector", "#combinations tbody tr")) == 20
        assert browser.find_element("id", "choose").rect["height"] == 0
        quiet(browser)
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.mark.browser
def test_a_hostile_run_does_nothing_in_a_browser(tmp_path: Path, browser: Any) -> None:
    from selenium.webdriver.support.select import Select

    table = write_run(tmp_path / "run", hostile_rows(), **HOSTILE)
    opened(browser, table, tmp_path / "run")
    fusion = Select(browser.find_element("css selector", "select[name=fusion]"))
    fusion.select_by_value(f"={IMAGE}")
    assert shown_rows(browser, "fusion") == [IMAGE]
    browser.find_element("css selector", "#reasons details").click()
    drawn(browser)
    assert browser.find_elements("css selector", "img") == []
    quiet(browser)  # no alert, nor has the policy blocked anything


@pytest.mark.browser
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_it_fits_phone_and_desk_light_and_dark(
    tmp_path: Path, browser: Any, width: int, theme: str
) -> None:
    long = "an-endless-name" * 20
    rows = matrix_rows() + hostile_rows()
    rows += [fused(50, dataset=long, head=long, encoder_image=long, fusion=long)]
    rows += [fused(51, fusion="moe", status="failed", reason=long * 3)]
    with seen_as(browser, theme, width):
        opened(browser, write_run(tmp_path / "run", rows, run=long), tmp_path / "run")
        drawn(browser)
        script = "return document.documentElement.scrollWidth"
        assert browser.execute_script(script) <= width
        script = "return getComputedStyle(document.body).backgroundColor"
        dark = browser.execute_script(script) != "rgb(255, 255, 255)"
        assert dark == (theme == "dark")
        quiet(browser)
