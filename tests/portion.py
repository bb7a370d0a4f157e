"""How much of the longest tests a run does: `make test` does a part of them, `make soak` all."""

from __future__ import annotations

import os

IS_WHOLE = os.environ.get("SWARMSCOPE_TESTS") == "whole"


def portion(whole: int, part: int) -> int:
    """`whole` in a soak, `part` in every other run."""
    return whole if IS_WHOLE else part
