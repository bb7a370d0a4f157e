"""How a request reaches an endpoint: the joint between retrying and the protocols."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Answer(Enum):
    """What an endpoint made of a request."""

    ACCEPTED = "accepted"
    AGAIN = "again"  # away or too busy: the same request may succeed later
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Reply:
    """An endpoint's answer, or that there was none."""

    answer: Answer
    retry_after_s: float | None = None  # when the endpoint wants to be asked again
    body: bytes = b""  # of an accepted request: Export…ServiceResponse
    detail: str = ""


class Transport(Protocol):
    """One signal's way to one endpoint. Called by one thread at a time."""

    def send(self, payload: bytes, timeout_s: float) -> Reply:
        """Make one attempt. MUST NOT raise; MUST NOT try again by itself."""

    def start_over(self) -> None:
        """Forget connections: they belong to the process that this one was forked from."""

    def close(self) -> None:
        """Release what is held; may be called while `send` runs in another thread."""
