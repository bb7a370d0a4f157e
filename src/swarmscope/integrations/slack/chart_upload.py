"""A picture of an alert's query, below its message. Source: https://docs.slack.dev/messaging/working-with-files"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from swarmscope.integrations.slack.query_chart import ChartRequest, ChartValues, draw_chart, expression_of
from swarmscope.integrations.slack.slack_api import SlackApi
from swarmscope.model.alerts import FailureKind, Notification, NotifyFailedError
from swarmscope.model.errors import SwarmscopeError

_LOG = logging.getLogger(__name__)
_TIME_LIMIT_S = 10.0  # the message is out already, and its time must not run out over a picture
_PAST_NS = 3600 * 1_000_000_000
_FILE_NAME = "query.png"


async def upload_chart(api: SlackApi, notification: Notification, values: ChartValues, note: Mapping[str, str]) -> None:
    """Put the first firing alert's query of the last hour into the thread. Where that fails it is logged, no more."""
    alert = notification.firing[0]
    expression = expression_of(alert.generator_url)
    if not expression:
        return
    request = ChartRequest(alert.tenant, expression, notification.now_ns - _PAST_NS, notification.now_ns)
    try:
        async with asyncio.timeout(_TIME_LIMIT_S):
            picture = await asyncio.to_thread(_picture, request, values, alert.name)
            if picture is not None:
                await _upload(api, picture, alert.name or "query", note)
    except (TimeoutError, NotifyFailedError, SwarmscopeError) as error:
        _LOG.warning("no chart for slack: %s", str(error) or "it took too long")


def _picture(request: ChartRequest, values: ChartValues, name: str) -> bytes | None:
    lines = values(request)
    return draw_chart(request, lines, name) if lines else None


async def _upload(api: SlackApi, picture: bytes, title: str, note: Mapping[str, str]) -> None:
    found = await api.call_form("files.getUploadURLExternal", {"filename": _FILE_NAME, "length": str(len(picture))})
    url, file_id = found.get("upload_url"), found.get("file_id")
    if not isinstance(url, str) or not isinstance(file_id, str):
        raise NotifyFailedError("slack: no address to upload to", retryable=False, kind=FailureKind.SERVER)
    await api.upload(url, picture)
    await api.call(
        "files.completeUploadExternal",
        {"files": [{"id": file_id, "title": title}], "channel_id": note["channel"], "thread_ts": note["ts"]},
    )
