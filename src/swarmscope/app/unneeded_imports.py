"""Refuses to import what nothing here uses.

chDB depends on pandas, and PyArrow imports pandas, where it is installed, at the first array it makes: a second of
start-up and 50 MB of memory. PyArrow and chDB do without when the import fails. Numba imports SciPy's linear algebra
before it loads its first kernel, half a second of start-up, and does without too: no kernel multiplies matrices.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

_UNNEEDED = frozenset({"pandas", "scipy"})


class _RefusingFinder(MetaPathFinder):
    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname in _UNNEEDED:
            raise ModuleNotFoundError(f"{fullname} is not imported by the server", name=fullname)


def refuse_unneeded_imports() -> None:
    """From now on, for the whole process; call it before the store is imported."""
    sys.meta_path.insert(0, _RefusingFinder())
