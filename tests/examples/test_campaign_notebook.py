"""The notebook that draws the results of a campaign: it is kept without outputs, and every cell of it works."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kit.documents import ROOT
from kit.programs import CommandLine

NOTEBOOK = ROOT / "examples" / "campaign" / "campaign.ipynb"


def test_the_notebook_is_kept_without_outputs() -> None:
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


@pytest.mark.nightly
@pytest.mark.filterwarnings("default")  # of the packages that start the kernel
@pytest.mark.parametrize("cards", [1, 300])
def test_every_cell_of_the_notebook_works(
    sscard: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cards: int
) -> None:
    for name in ("ipykernel", "matplotlib", "nbclient", "pyarrow"):
        pytest.importorskip(name, reason=f"no {name}: pip install --group notebook")
    import nbclient
    import nbformat

    files = ("--results", tmp_path / "results.db", "--parquet", tmp_path / "results.parquet")
    assert sscard("campaign", "--cards", str(cards), "--workers", "1", *files)[0] == 0
    for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, str(tmp_path / name))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) == 3
    assert f"{cards} of {cards} cards" in outputs[0]["text"]
