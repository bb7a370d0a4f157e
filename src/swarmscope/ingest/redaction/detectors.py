"""What a detector is, and how a user's own pattern becomes one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import hyperscan
import re2  # type: ignore[import-untyped]

# What may stand in a detector's name: it is written into masks, which must be safe inside JSON strings and regexes.
NAME_PATTERN = r"^[a-z][a-z0-9_]{0,47}$"
# Every text of a batch is matched at once, so what binds to the whole buffer would not bind to a text.
_WHOLE_BUFFER = re.compile(r"\\[AzZG]|\(\?[a-zA-Z]*-[a-zA-Z]*m")
# `^` and `$` bind to lines; each pattern is reported once a scan, which bounds the work that hostile text can cause.
MATCH_FLAGS: int = hyperscan.HS_FLAG_SINGLEMATCH | hyperscan.HS_FLAG_MULTILINE

Check = Callable[[bytes, int, int], bool]


class Group(Enum):
    """Detectors that are chosen together."""

    SECRETS = "secrets"
    PERSONAL = "personal"
    NETWORK = "network"
    USER = "user"


class BadPatternError(ValueError):
    """A pattern that cannot be matched fast; the message says why."""


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of thing to find.

    `pattern` is RE2 on UTF-8 bytes; what its first group that took part holds is the find, else the whole match.
    `trigger` (default: `pattern`) is what all texts are scanned for: it MUST match in every text that `pattern` matches
    in. `check(text, start, end)` has the last word on a find. With `is_keyed` the pattern reads a name and its value:
    where the name is an attribute's, the whole value is the find.
    """

    name: str
    group: Group
    finds: str  # for the documentation
    pattern: bytes
    check: Check | None = None
    trigger: bytes | None = None
    is_keyed: bool = False

    @property
    def scanned(self) -> bytes:
        """The pattern that texts are scanned for."""
        return self.pattern if self.trigger is None else self.trigger

    @property
    def flags(self) -> int:
        """Hyperscan's flags for `scanned`. A user may write `é+`; built-in patterns are bytes, which is faster."""
        unicode = hyperscan.HS_FLAG_UTF8 if self.group is Group.USER else 0
        return MATCH_FLAGS | unicode


def compile_exact(pattern: bytes) -> re2._Regexp:
    """RE2 for `pattern`, silent on standard error. Raises BadPatternError."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(b"(?m)" + pattern, options)
    except re2.error as error:
        reason = error.args[0] if error.args else "not a regular expression"
        raise BadPatternError(reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)) from None


def compile_database(detectors: list[Detector]) -> hyperscan.Database:
    """One database for all; pattern i is reported as i. Raises BadPatternError without saying which one is bad."""
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    try:
        database.compile(
            expressions=[one.scanned for one in detectors],
            ids=list(range(len(detectors))),
            elements=len(detectors),
            flags=[one.flags for one in detectors],
        )
    except hyperscan.error as error:
        raise BadPatternError(str(error).rstrip(".")) from None
    return database


def user_detector(name: str, pattern: str) -> Detector:
    """A detector from the settings. Raises BadPatternError where the pattern cannot be matched fast."""
    if not re.match(NAME_PATTERN, name):
        raise BadPatternError(f"the name must be as {NAME_PATTERN} says")
    bound = _WHOLE_BUFFER.search(pattern)
    if bound:
        raise BadPatternError(f"{bound[0]} is not supported: ^ and $ stand for the ends of a text and of its lines")
    detector = Detector(name, Group.USER, "A pattern from the settings.", pattern.encode())
    compile_exact(detector.pattern)
    compile_database([detector])
    return detector
