"""Where brain states are from: a folder, an HTTP endpoint, a callable."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swarmscope.sdk.intelligence.brain_state import BRAIN_STATE_SCHEMA, BrainStateError

_MAX_BYTES = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Reading:
    """A state as it was read; two with equal `revision` are the same state, None is always a new one."""

    state: Any
    revision: object = None


Source = Callable[[], Reading]


def to_source(
    source: str | Path | Callable[[], Any], *, headers: Mapping[str, str] | None = None, timeout_s: float = 5.0
) -> Source:
    """How to read: text that begins with http:// or https:// is an endpoint, other text a folder."""
    if callable(source):
        return lambda: Reading(source())
    if isinstance(source, str) and source.startswith(("http://", "https://")):
        url = source
        return lambda: read_endpoint(url, headers or {}, timeout_s)
    folder = Path(source)
    return lambda: read_folder(folder)


def read_folder(folder: Path) -> Reading:
    """The state in a folder: a file for each property (`modules.json`, …) where there are such, else the newest *.json.

    Raises BrainStateError.
    """
    try:
        found = sorted(folder.glob("*.json"), key=lambda path: (path.stat().st_mtime_ns, path.name))
        parts = [path for path in found if path.stem in BRAIN_STATE_SCHEMA["properties"]]
        if not found:
            raise BrainStateError(f"{folder} has no *.json file" if folder.is_dir() else f"{folder} is not a folder")
        read = parts or found[-1:]
        revision = tuple((path.name, path.stat().st_mtime_ns, path.stat().st_size) for path in read)
        states = {path.stem: _parsed(path.read_bytes()[: _MAX_BYTES + 1], str(path)) for path in read}
    except OSError as error:
        raise BrainStateError(f"{folder} cannot be read: {error}") from error
    return Reading(states if parts else states[found[-1].stem], revision)


def read_endpoint(url: str, headers: Mapping[str, str], timeout_s: float) -> Reading:
    """The state that a GET request is answered with. Raises BrainStateError."""
    request = urllib.request.Request(url, headers={"accept": "application/json", **headers})  # noqa: S310 (checked)
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as response:  # noqa: S310
            body = response.read(_MAX_BYTES + 1)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise BrainStateError(f"{url} cannot be read: {error}") from error
    return Reading(_parsed(body, url))


def _parsed(body: bytes, place: str) -> Any:
    if len(body) > _MAX_BYTES:
        raise BrainStateError(f"{place} has more than {_MAX_BYTES} bytes")
    try:
        return json.loads(body)
    except ValueError as error:
        raise BrainStateError(f"{place} is not JSON: {error}") from error
