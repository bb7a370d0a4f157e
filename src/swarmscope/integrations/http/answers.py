"""What receivers answer, and which of it is a failure."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import NamedTuple

import orjson

from swarmscope.model.alerts import FailureKind, NotifyFailedError

MAX_RETRY_AFTER_S = 3600.0  # who asks for more is asked again all the same
_SHOWN_CHARACTERS = 200
_SHORTEST_SECRET = 4  # to take out shorter ones would only garble the text
_TIMEOUT_STATUS = (408, 425)


class Answer(NamedTuple):
    """The status, headers (names in lower case) and the beginning of the body."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool  # the body ended within what is read of it

    def json(self) -> object:
        """The body as JSON, None where it is none."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


def check_answer(answer: Answer, where: str, secrets: Collection[str] = ()) -> None:
    """Raise NotifyFailedError unless the status is 2xx. `where` names the receiver's host."""
    status = answer.status
    if 200 <= status < 300:
        return
    message = f"{where}: unexpected status code {status}"
    shown = shown_text(answer.body, secrets)
    if shown:
        message += f": {shown}"
    if status == 429:
        raise NotifyFailedError(
            message, retryable=True, kind=FailureKind.RATE_LIMITED, retry_after_s=retry_after_s(answer.headers)
        )
    if status >= 500:
        raise NotifyFailedError(
            message, retryable=True, kind=FailureKind.SERVER, retry_after_s=retry_after_s(answer.headers)
        )
    if status in _TIMEOUT_STATUS:
        raise NotifyFailedError(message, retryable=True, kind=FailureKind.TIMEOUT)
    kind = FailureKind.AUTH if status in (401, 403) else FailureKind.CLIENT
    raise NotifyFailedError(message, retryable=False, kind=kind)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """How long `Retry-After` asks to wait, in seconds or until a date; None where it says nothing of use."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        wait_s = float(text)
    except ValueError:
        try:
            until = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait_s = until.replace(tzinfo=until.tzinfo or UTC).timestamp() - time.time()
    return min(max(wait_s, 0.0), MAX_RETRY_AFTER_S) if wait_s == wait_s else None


def shown_text(body: bytes, secrets: Collection[str]) -> str:
    """The beginning of an answer, fit to be shown: one line, printable, no secret of ours in it."""
    text = without_secrets(body[: 4 * _SHOWN_CHARACTERS].decode("utf-8", "replace"), secrets)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN_CHARACTERS else line[:_SHOWN_CHARACTERS] + "…"


def without_secrets(text: str, secrets: Collection[str]) -> str:
    """The text with `<secret>` in place of each secret."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "<secret>")
    return text
