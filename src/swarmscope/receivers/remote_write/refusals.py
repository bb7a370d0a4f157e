"""What of a request was not taken, told to its sender: reason, how often, and the first example."""

from __future__ import annotations

from dataclasses import dataclass, field

_MAX_REASONS = 20


@dataclass(slots=True)
class Refusal:
    """One reason. `count` is series, histograms or exemplars, as `noun` says."""

    count: int
    noun: str
    example: str


@dataclass(slots=True)
class Refusals:
    """All refusals of one request by reason, in the order in which they were found."""

    by_reason: dict[str, Refusal] = field(default_factory=dict)

    def add(self, reason: str, count: int, noun: str, example: str) -> None:
        """Note `count` refusals; of each reason the first example is kept."""
        known = self.by_reason.get(reason)
        if known is None:
            self.by_reason[reason] = Refusal(count, noun, example)
        else:
            known.count += count

    def __bool__(self) -> bool:
        return bool(self.by_reason)

    def to_text(self) -> str:
        """One line a reason."""
        lines = [
            f"{refusal.count} {refusal.noun} refused: {reason}"
            + (f", first {refusal.example}" if refusal.example else "")
            for reason, refusal in list(self.by_reason.items())[:_MAX_REASONS]
        ]
        return "\n".join(lines)
