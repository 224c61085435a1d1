"""The notebook runs from its first cell to its last, and says what it said when it was written."""

from __future__ import annotations

import nbformat
from nbclient import NotebookClient

from tests.docs.test_arrows import ROOT

NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def said(notebook):
    """What each cell of code printed or returned, as text, without the sizes of pictures."""
    return [
        [
            output.get("text") or output["data"]["text/plain"]
            for output in cell.outputs
            if not output.get("data", {}).get("text/plain", "").startswith("<Figure")
        ]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_the_notebook_runs_and_its_outputs_are_true():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    written = said(notebook)
    assert len(written) == 10
    pictures = [
        o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 2
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    assert said(notebook) == written
