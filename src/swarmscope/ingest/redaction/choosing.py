"""Which detectors run: by name, by group, and the user's own."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping

from swarmscope.ingest.redaction.detectors import Detector, user_detector
from swarmscope.ingest.redaction.personal import NETWORK, PERSONAL
from swarmscope.ingest.redaction.secrets import SECRETS

BUILT_IN: tuple[Detector, ...] = (*SECRETS, *PERSONAL, *NETWORK)


def known_names() -> list[str]:
    """Names of groups and built-in detectors."""
    return [*dict.fromkeys(one.group.value for one in BUILT_IN), *(one.name for one in BUILT_IN)]


def refuse_unknown(name: str, own: Iterable[str] = ()) -> str:
    """`name` where it is a group's, a detector's or one of the user's `own`. Raises ValueError with a guess."""
    known = [*known_names(), *own]
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        guess = f"did you mean {close[0]}? " if close else ""
        raise ValueError(f"no such detector; {guess}allowed: {', '.join(known)}")
    return name


def chosen_detectors(names: Iterable[str], without: Iterable[str], patterns: Mapping[str, str]) -> list[Detector]:
    """The user's detectors, then built-in ones of the groups and names `names` that are not in `without`.

    Raises BadPatternError.
    """
    wanted, unwanted = set(names), set(without)
    own = [user_detector(name, pattern) for name, pattern in patterns.items()]
    built_in = [
        one for one in BUILT_IN if {one.name, one.group.value} & wanted and not {one.name, one.group.value} & unwanted
    ]
    return [*own, *built_in]
