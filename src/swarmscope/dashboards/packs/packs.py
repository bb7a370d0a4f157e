"""Packs of rules that ship with the program, by name."""

from __future__ import annotations

from pathlib import Path

PACK_NAMES = ("agi", "fleet", "self")
_FOLDER = Path(__file__).parent


def pack_path(name: str) -> Path:
    """The rule file of a pack. Raises ValueError with the packs that there are."""
    if name not in PACK_NAMES:
        raise ValueError(f"there is no pack {name!r}; there are {', '.join(PACK_NAMES)}")
    return _FOLDER / f"{name}.yml"
