"""Findings over time: the same trouble is one finding from when it is first seen until it is seen no more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from swarmscope.model.fleet import Finding

# A trouble that pauses for a moment is the same one; what has ended stays in view for a while.
_PAUSE_NS = 15 * 1_000_000_000
_SHOWN_NS = 900 * 1_000_000_000
_MAX_FINDINGS = 10_000


class FindingTracker:
    """Of one tenant. Not thread-safe."""

    def __init__(self, pause_ns: int = _PAUSE_NS) -> None:
        self._pause_ns = pause_ns
        self._known: dict[str, Finding] = {}
        self._seen_ns: dict[str, int] = {}  # of those that last
        self._news: list[Finding] = []
        self._changed: dict[str, Finding] = {}

    def update(self, found: Iterable[Finding], now_ns: int) -> None:
        """All that goes wrong now. What is found again keeps its begin; what is not found any more has ended."""
        for finding in found:
            known = self._known.get(finding.id)
            is_new = known is None or known.end_ns > 0
            if known is None and len(self._known) >= _MAX_FINDINGS:
                continue
            now = replace(finding, begin_ns=finding.begin_ns if is_new or known is None else known.begin_ns, end_ns=0)
            self._seen_ns[finding.id] = now_ns
            if is_new:
                self._news.append(now)
            if now != known:
                self._known[finding.id] = self._changed[finding.id] = now
        for identity, seen_ns in list(self._seen_ns.items()):
            if now_ns - seen_ns >= self._pause_ns:
                del self._seen_ns[identity]
                ended = replace(self._known[identity], end_ns=max(seen_ns, 1))
                self._known[identity] = self._changed[identity] = ended
                self._news.append(ended)
        for identity, finding in list(self._known.items()):
            if 0 < finding.end_ns < now_ns - _SHOWN_NS:
                del self._known[identity]

    def all(self) -> tuple[Finding, ...]:
        """Those that last, and those that ended lately."""
        return tuple(self._known.values())

    def take_news(self) -> list[Finding]:
        """Findings that began or ended since the last call."""
        news, self._news = self._news, []
        return news

    def take_changed(self) -> tuple[Finding, ...]:
        """Findings that are not as they were last written."""
        changed, self._changed = self._changed, {}
        return tuple(changed.values())

    def keep_changed(self, findings: Iterable[Finding]) -> None:
        """These are still to be written."""
        self._changed = {finding.id: finding for finding in findings} | self._changed
