"""Label sets as Python mappings. # Slow path: exemplars, remote read, federation; query results never come here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.series import LabelFrame, SymbolTable


def label_dicts(
    frame: LabelFrame, symbols: SymbolTable, places: NDArray[np.int64] | None = None
) -> list[dict[str, str]]:
    """The label set of each series (of those at `places` alone, if given), names in the order of their bytes."""
    order = sorted(range(len(frame.names)), key=lambda row: frame.names[row].encode())
    names = [frame.names[row] for row in order]
    codes = frame.codes[order] if order else frame.codes
    if places is not None:
        codes = codes[:, places]
    texts = {code: symbols.text(code) for code in np.unique(codes).tolist() if code != -1}
    return [
        {name: texts[code] for name, code in zip(names, column, strict=True) if code != -1}
        for column in codes.T.tolist()
    ]
