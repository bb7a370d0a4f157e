"""The notebooks of the documentation run from the first cell to the last, as they are."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.integration.processes import SwarmscopeServer

pytestmark = [pytest.mark.slow]
NOTEBOOKS = Path(__file__).parents[2] / "docs" / "notebooks"
PNG = "iVBORw0KGgo"  # how such a picture begins, in base 64


def _run(name: str) -> tuple[str, list[str]]:
    """What the cells printed, and their pictures. Fails where a cell raises."""
    notebook = nbformat.read(NOTEBOOKS / f"{name}.ipynb", as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOKS)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    printed = "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")
    return printed, [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]


@pytest.mark.parametrize("path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert [(cell.outputs, cell.execution_count) for cell in cells] == [([], None)] * len(cells)


def test_published_examples() -> None:
    printed, pictures = _run("published_examples")
    # Oizumi 2014 says 1.92 of figure 4; the others are PyPhi's with exact transport.
    phis = [float(line.split()[2]) for line in printed.splitlines() if line.startswith("Φ")]
    assert phis == pytest.approx([2.3125, 23 / 12, 1.875, 0.113889], abs=5e-6)
    assert "causal emergence 0.188722" in printed
    assert [picture.startswith(PNG) for picture in pictures] == [True]


def test_from_a_fleet_to_phi(swarmscope_server: SwarmscopeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMSCOPE_URL", swarmscope_server.address)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{swarmscope_server.otlp_http_port}")
    printed, pictures = _run("fleet_to_phi")
    lines = printed.splitlines()
    sent, back = (int(line.split()[0]) for line in lines[:2])
    assert sent == back > 500
    # The ring is what was built in; the same agents apart from each other have none of it.
    (connections,) = [line for line in lines if line.startswith("connections: ")]
    for ring in ("planner → researcher", "researcher → writer", "writer → critic", "critic → planner"):
        assert ring in connections
    (over_states,) = [line for line in lines if line.startswith("Φ over visited states")]
    assert float(over_states.split("p = ")[1]) <= 0.05
    assert lines[-1].startswith("Φ = 0.0000")
    assert lines[-1].endswith(": not significant")
    assert [picture.startswith(PNG) for picture in pictures] == [True, True]
