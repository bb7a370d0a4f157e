"""Findings of successive rounds as one: when a trouble began, that it lasts, and when it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from swarmscope.model.fleet import Finding

_S = 1_000_000_000


@dataclass(slots=True)
class _Known:
    finding: Finding
    seen_ns: int


class FindingTracker:
    """Of one tenant. Not thread-safe. What ends is told for `keep_ns` more; at most `max_findings` are kept."""

    def __init__(self, quiet_ns: int = 30 * _S, keep_ns: int = 3600 * _S, max_findings: int = 10_000) -> None:
        """A trouble has ended once no round has found it for `quiet_ns`."""
        self._quiet_ns, self._keep_ns, self._max_findings = quiet_ns, keep_ns, max_findings
        self._open: dict[str, _Known] = {}
        self._ended: dict[str, Finding] = {}

    def update(self, found: Iterable[Finding], now_ns: int) -> list[Finding]:
        """Take one round in; the findings that began or ended by it, with the ids that they keep."""
        news = []
        for finding in found:
            known = self._open.get(finding.id)
            if known is None:
                if len(self._open) >= self._max_findings:
                    continue
                # The same trouble on another day is another finding.
                begun = replace(finding, id=f"{finding.id}-{finding.begin_ns // _S:x}")
                self._ended.pop(begun.id, None)
                self._open[finding.id] = _Known(begun, now_ns)
                news.append(begun)
            else:
                kept = replace(
                    finding, id=known.finding.id, begin_ns=min(known.finding.begin_ns, finding.begin_ns),
                    confidence=max(known.finding.confidence, finding.confidence),
                )  # fmt: skip
                self._open[finding.id] = _Known(kept, now_ns)
        for subject, known in list(self._open.items()):
            if now_ns - known.seen_ns > self._quiet_ns:
                del self._open[subject]
                ended = replace(known.finding, end_ns=known.seen_ns)
                self._ended[ended.id] = ended
                news.append(ended)
        self._forget(now_ns)
        return news

    def lasting(self) -> tuple[Finding, ...]:
        """Those that last."""
        return tuple(known.finding for known in self._open.values())

    def findings(self) -> tuple[Finding, ...]:
        """Those that last, and those that ended lately."""
        return (*self.lasting(), *self._ended.values())

    def _forget(self, now_ns: int) -> None:
        for name, finding in list(self._ended.items()):
            if len(self._ended) <= self._max_findings and now_ns - finding.end_ns <= self._keep_ns:
                break
            del self._ended[name]
