"""Which series a line belongs to: its labels at the pipeline's end, or those that the grouping keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.nodes import Grouping
from swarmscope.model.labels import Utf8Column
from swarmscope.model.series import ABSENT
from swarmscope.query.logql.blocks import LabelKind, LineBlock
from swarmscope.query.logql.series_table import SeriesTable
from swarmscope.query.logql.text_interning import TextTable, distinct_texts
from swarmscope.query.promql.row_groups import group_columns


class LineSets(NamedTuple):
    """Lines by label set: the sets of one batch, in codes of its own."""

    names: tuple[str, ...]
    texts: tuple[Utf8Column, ...]  # by name: the text of each code
    codes: NDArray[np.int32]  # [n_names, n_sets]
    set_of_line: NDArray[np.int64]  # [n]


@dataclass(frozen=True, slots=True)
class Identity:
    """What tells series apart: `by` alone, or (None) every label but those in `without`."""

    by: tuple[str, ...] | None
    without: frozenset[str] = frozenset()

    @classmethod
    def of(cls, grouping: Grouping | None, unwrapped: str | None) -> Identity:
        """An unwrapped label takes no part, unless it is grouped by."""
        own = frozenset() if unwrapped is None else frozenset((unwrapped,))
        if grouping is None:
            return cls(None, own)
        if grouping.without:
            return cls(None, own.union(grouping.labels))
        return cls(tuple(dict.fromkeys(grouping.labels)))

    def sets_of(self, block: LineBlock) -> LineSets:
        """The block's lines by label set."""
        names, texts, codes = [], [], []
        for name in self._names(block):
            column = block.label(name)
            own, first = distinct_texts(column)
            if len(first):
                names.append(name)
                texts.append(column.take(first))
                codes.append(own)
        if not names:
            n_sets = min(len(block), 1)
            return LineSets((), (), np.zeros((0, n_sets), np.int32), np.zeros(len(block), np.int64))
        if len(names) == 1 and (codes[0] >= 0).all():  # Fast path: the codes are the sets
            single = np.arange(len(texts[0]), dtype=np.int32)[None, :]
            return LineSets(tuple(names), tuple(texts), single, codes[0].astype(np.int64))
        matrix = np.vstack(codes)
        set_of_line, first = group_columns(matrix)
        return LineSets(tuple(names), tuple(texts), matrix[:, first], set_of_line)

    def _names(self, block: LineBlock) -> list[str]:
        if self.by is not None:
            return list(self.by)
        every = {name for kind in LabelKind for name in block.names(kind)}
        return sorted(every - self.without)


def number_series(sets: LineSets, texts: TextTable, series: SeriesTable) -> NDArray[np.int64]:
    """The series of each line [n]. Changes both tables; raises LimitExceededError."""
    codes = np.full(sets.codes.shape, ABSENT, np.int32)
    for k, column in enumerate(sets.texts):
        own = sets.codes[k]
        codes[k] = np.where(own >= 0, texts.add(column)[own], ABSENT)
    return series.resolve(sets.names, codes)[sets.set_of_line]
