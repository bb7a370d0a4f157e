"""Texts of a request made UTF-8, where they are not: the repaired copy stands behind the body."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.wire.text_tail import TextTail
from swarmscope.receivers.wire.utf8 import invalid_utf8, repair_spans


def repair_texts(body: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64], tail: TextTail) -> int:
    """Replace what is not UTF-8 in texts [n] that stand in the body; starts and lengths are changed in place.

    Returns how many texts were repaired.
    """
    rows = np.flatnonzero(invalid_utf8(Utf8Column(body, start, length)))
    if len(rows):
        text, starts, length[rows] = repair_spans(body, start[rows], length[rows])
        start[rows] = starts + tail.add(text)
    return len(rows)
