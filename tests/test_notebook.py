"""The example notebook runs from top to bottom, in a kernel of its own."""

from __future__ import annotations

import warnings
from pathlib import Path

import nbformat
import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"
FIGURES = "application/vnd.plotly.v1+json"


def test_the_example_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("MMBENCH_STORE", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Jupyter's own
        from nbclient import NotebookClient

        notebook = nbformat.read(NOTEBOOK, as_version=4)
        client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}})
        client.execute()

    outputs = [
        output["data"]
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if "data" in output
    ]
    drawn = [data[FIGURES] for data in outputs if FIGURES in data]
    assert len(drawn) == sum("mmbench.plot." in cell.source for cell in notebook.cells) >= 4
    assert all(figure["data"] for figure in drawn)
    tables = [data["text/html"] for data in outputs if "text/html" in data and FIGURES not in data]
    assert len(tables) >= 4
    assert (tmp_path / "results" / "notebook-limit300" / "report.html").is_file()


def test_the_example_notebook_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
