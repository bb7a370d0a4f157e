"""`| regexp "(?P<name>…)"`: named groups of a regex become labels.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#regular-expression
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.extraction import Extracted
from swarmscope.query.logql.regexes import from_arrow, present

# What a regex is made of as far as groups go: an escape, quoted text, a class, a group's opening.
_PIECE = re.compile(
    r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\(\?P?<(?P<name>\w+)>|\((?!\?)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class CaptureRegex:
    """A regex all of whose groups have names: those without one no longer capture."""

    regex: str
    names: tuple[str, ...]  # of the labels, by group

    @classmethod
    def from_text(cls, text: str) -> CaptureRegex:
        """Of a regex with a named group at the least, as the parser of queries has seen to."""
        names: list[str] = []

        def rewritten(piece: re.Match[str]) -> str:
            if piece["name"] is not None:
                names.append(piece["name"])
                return f"(?P<g{len(names)}>"  # a name may stand twice in Go, and Arrow wants it once
            return "(?:" if piece[0] == "(" else piece[0]

        return cls(_PIECE.sub(rewritten, text), tuple(names))


def capture_regex(line: Utf8Column, captures: CaptureRegex) -> Extracted:
    """Named groups of the first match in each line [n]; without a match there are none. Raises QueryFailedError.

    A group that takes no part in the match is "". Of groups with the same name the last counts.
    """
    try:
        found = pc.extract_regex(present(line).to_arrow(), captures.regex)
    except pa.ArrowInvalid as error:
        raise QueryFailedError(f"the regex {captures.regex!r} cannot be used: {error}") from error
    missing = found.is_null().to_numpy(zero_copy_only=False)
    columns = {name: from_arrow(found.field(number), missing) for number, name in enumerate(captures.names)}
    return Extracted(columns, np.zeros(len(line), np.bool_))
