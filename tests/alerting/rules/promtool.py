"""Debian's promtool, asked about many files at once."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

needs_promtool = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs the package prometheus")
_FAILED_ITEM = re.compile(r"^    (alertname: .*?, time: \S+), ?$|^    (expr: .*, time: [^\s,]+), ?", re.MULTILINE)


def write_all(folder: Path, texts: Mapping[str, str]) -> dict[str, Path]:
    """Write a file for each text; their paths by name."""
    paths = {}
    for name, text in texts.items():
        paths[name] = folder / f"{name}.yml"
        paths[name].write_text(text, "utf-8")
    return paths


def ask_promtool(command: tuple[str, str], paths: Mapping[str, Path]) -> dict[str, str]:
    """What promtool says of each file by name, both streams in their order."""
    ran = subprocess.run(
        ["promtool", *command, *map(str, paths.values())],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120,
    )  # fmt: skip
    parts = re.split(r"^(?:Checking|Unit Testing: ) .*$", ran.stdout, flags=re.MULTILINE)[1:]
    assert len(parts) == len(paths), ran.stdout
    return dict(zip(paths, parts, strict=True))


def failed_items(text: str) -> list[str]:
    """The expectations that were not met, as both programs name them."""
    return sorted(found[1] or found[2] for found in _FAILED_ITEM.finditer(text))
