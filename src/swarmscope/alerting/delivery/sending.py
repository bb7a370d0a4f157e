"""One notification to one integration, tried until it is taken, or there is no hope or time left."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass

from swarmscope.instrument.metrics import NOTIFICATION_LATENCY_S, NOTIFICATIONS, NOTIFICATIONS_FAILED
from swarmscope.model.alerts import FailureKind, Notification, NotifyFailedError
from swarmscope.model.contracts import Notifier

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often and how soon again."""

    first_pause_s: float = 0.5
    longest_pause_s: float = 60.0
    max_hopeless: int = 3  # attempts that fail with what looks permanent
    attempt_timeout_s: float = 30.0


async def send(
    notifier: Notifier, notification: Notification, note: Mapping[str, str], timeout_s: float, settings: RetrySettings
) -> Mapping[str, str]:
    """The note that the integration leaves for next time. Raises NotifyFailedError with the last failure."""
    ends_s, pause_s, n_hopeless, attempt = time.monotonic() + timeout_s, settings.first_pause_s, 0, 0
    while True:
        attempt += 1
        began_s = time.monotonic()
        error = await _attempt(notifier, notification, note, min(settings.attempt_timeout_s, ends_s - began_s))
        NOTIFICATIONS.labels(integration=notifier.kind).inc()
        NOTIFICATION_LATENCY_S.labels(integration=notifier.kind).observe(time.monotonic() - began_s)
        if not isinstance(error, NotifyFailedError):
            return error
        n_hopeless += not error.retryable
        # Full jitter on the upper half, so that many who failed together do not come again together.
        wait_s = error.retry_after_s if error.retry_after_s is not None else pause_s * random.uniform(0.5, 1.0)
        pause_s = min(2 * pause_s, settings.longest_pause_s)
        if n_hopeless >= settings.max_hopeless or time.monotonic() + wait_s >= ends_s:
            NOTIFICATIONS_FAILED.labels(integration=notifier.kind, reason=error.kind.value).inc()
            raise error
        _log.warning(
            "%s of receiver %s, attempt %d: %s; again in %.1f s",
            notifier.kind, notification.receiver, attempt, error, wait_s,
        )  # fmt: skip
        await asyncio.sleep(wait_s)


async def _attempt(
    notifier: Notifier, notification: Notification, note: Mapping[str, str], timeout_s: float
) -> Mapping[str, str] | NotifyFailedError:
    """One attempt; a failure is given back."""
    try:
        async with asyncio.timeout(max(timeout_s, 0.001)):
            return await notifier.notify(notification, note)
    except NotifyFailedError as error:
        return error
    except TimeoutError:
        return NotifyFailedError(f"no answer within {timeout_s:.0f} s", retryable=True, kind=FailureKind.TIMEOUT)
    except asyncio.CancelledError:
        raise
    except Exception as error:  # a notifier's defect is a failure of that notifier
        _log.exception("%s of receiver %s", notifier.kind, notification.receiver)
        return NotifyFailedError(f"internal error: {type(error).__name__}", retryable=False)
