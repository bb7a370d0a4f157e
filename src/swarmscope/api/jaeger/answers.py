"""Jaeger's envelope around answers and errors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.responses import Response

from swarmscope.api.traces.endpoint import json_answer

TRACE_NOT_FOUND = "trace not found"


def enveloped(data: Any, total: int = 0, errors: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """What every endpoint but those of metrics and of version 3 answers."""
    return {"data": data, "total": total, "limit": 0, "offset": 0, "errors": list(errors) or None}


def failed(text: str, status: int) -> Response:
    """A failure in Jaeger's envelope."""
    return json_answer(enveloped(None, errors=[{"code": status, "msg": text}]), status)


def failed_v3(text: str, status: int) -> Response:
    """A failure as version 3 tells it."""
    return json_answer({"error": {"httpCode": status, "message": text}}, status)
