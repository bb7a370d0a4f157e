"""`file_sd_configs`: target groups in JSON or YAML files, read again when they change.

Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/#file_sd_config
"""

from __future__ import annotations

import asyncio
import glob
import json
import logging
from pathlib import Path
from typing import Any

from swarmscope.receivers.scrape.config_file import read_yaml, validate
from swarmscope.receivers.scrape.config_model import FileDiscoveryConfig, ScrapeConfigError, TargetGroup
from swarmscope.receivers.scrape.discovery.groups import Publish

_log = logging.getLogger(__name__)
# A look at the files' times is cheap, so a change is seen soon even where the system gives no notice of it.
WATCH_INTERVAL_S = 1.0
# YAML takes some thirty times its size while it is read; a target takes 100 bytes of it.
_MAX_FILE_BYTES = 16 * 1024 * 1024
# Each is a loop of its own, with its connection. What one source may ask for, in all its groups.
MAX_TARGETS = 100_000


class FileDiscovery:
    """Watches the files of one `file_sd_configs` entry."""

    def __init__(self, config: FileDiscoveryConfig, watch_interval_s: float = WATCH_INTERVAL_S) -> None:
        self._config = config
        self._watch_interval_s = watch_interval_s
        self._groups: dict[str, list[TargetGroup]] = {}

    async def run(self, publish: Publish) -> None:
        """Publish at once, when a file changes, appears or goes, and every `refresh_interval`."""
        seen: dict[str, tuple[int, int, int]] | None = None
        loop = asyncio.get_running_loop()
        refresh_at_s = 0.0
        while True:
            marks = _marks(self._config.files)
            if marks != seen or loop.time() >= refresh_at_s:
                seen = marks
                refresh_at_s = loop.time() + max(self._config.refresh_interval, 1000) / 1000
                publish(self._read(list(marks)))
            await asyncio.sleep(self._watch_interval_s)

    def _read(self, paths: list[str]) -> list[TargetGroup]:
        kept: dict[str, list[TargetGroup]] = {}
        for path in paths:
            try:
                kept[path] = read_groups(path)
            except ScrapeConfigError as error:
                _log.warning("file discovery keeps the last good groups: %s", error)
                kept[path] = self._groups.get(path, [])
        self._groups = kept
        return [group for groups in kept.values() for group in groups]


def _marks(patterns: list[str]) -> dict[str, tuple[int, int, int]]:
    marks: dict[str, tuple[int, int, int]] = {}
    for pattern in patterns:
        for path in sorted(glob.glob(pattern)):
            try:
                facts = Path(path).stat()
            except OSError:
                continue
            marks[path] = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
    return marks


def read_groups(path: str) -> list[TargetGroup]:
    """The groups of one file, each with `__meta_filepath`; raises ScrapeConfigError."""
    try:
        with open(path, "rb") as file:
            raw = file.read(_MAX_FILE_BYTES + 1)
        if len(raw) > _MAX_FILE_BYTES:
            raise ScrapeConfigError(f"{path}: is larger than {_MAX_FILE_BYTES} bytes")
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScrapeConfigError(f"{path}: cannot be read: {error}") from None
    return to_groups(_parse(text, path), path, {"__meta_filepath": path})


def _parse(text: str, path: str) -> Any:
    if not path.endswith(".json"):
        return read_yaml(text, path)
    try:
        return json.loads(text)
    except ValueError as error:
        raise ScrapeConfigError(f"{path}: not JSON: {error}") from None


def to_groups(document: Any, origin: str, meta: dict[str, str]) -> list[TargetGroup]:
    """A list of `{targets, labels}` as groups that carry `meta` too; raises ScrapeConfigError."""
    if document in (None, ""):
        document = []
    if not isinstance(document, list):
        raise ScrapeConfigError(f"{origin}: not a list of target groups")
    targets = [item.get("targets") for item in document if isinstance(item, dict)]
    n_targets = sum(len(listed) for listed in targets if isinstance(listed, list))
    if max(n_targets, len(document)) > MAX_TARGETS:
        raise ScrapeConfigError(f"{origin}: has more than {MAX_TARGETS} targets or groups")
    groups = [validate(TargetGroup, item, f"{origin}: [{index}]") for index, item in enumerate(document)]
    return [TargetGroup(targets=group.targets, labels={**group.labels, **meta}) for group in groups]
