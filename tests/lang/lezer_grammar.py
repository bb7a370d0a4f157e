"""Grafana's own grammars, asked through Node: the packages are installed once into the user's cache."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent / "lezer"


def _installed() -> Path:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("Node and npm are not installed")
    parts = [(SOURCES / name).read_bytes() for name in ("package.json", "accepts.mjs")]
    version = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "swarmscope-tests" / f"lezer-{version}"
    if (folder / "ready").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "accepts.mjs"):
        shutil.copy(SOURCES / name, folder / name)
    done = subprocess.run(
        [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=folder, capture_output=True, timeout=120
    )
    if done.returncode != 0:
        pytest.skip(f"npm cannot install Grafana's grammar: {done.stderr.decode(errors='replace')[-300:]}")
    (folder / "ready").touch()
    return folder


def accepted_by_grafana(queries: list[str], language: str = "logql") -> list[bool]:
    """Whether Grafana's grammar of a language ("logql", "traceql") takes each query whole."""
    folder = _installed()
    done = subprocess.run(
        ["node", "accepts.mjs", language],
        cwd=folder,
        input=json.dumps(queries),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    taken: list[bool] = json.loads(done.stdout)
    return taken
