"""Actions that are requests: any HTTP call, and signals to agents, which are signed."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
from pathlib import Path

import httpx

from swarmscope.alerting.runbooks.filled_action import BadActionError, FilledAction
from swarmscope.alerting.runbooks.runbook_model import Secret

MAX_OUTPUT_BYTES = 64 * 1024
SIGNATURE_HEADER = "x-swarmscope-signature"
TIMESTAMP_HEADER = "x-swarmscope-timestamp"
_USER_AGENT = "swarmscope-runbook"


def run_http(action: FilledAction) -> str:
    """Make the call; its status and the beginning of its answer. Raises BadActionError unless it is answered 2xx."""
    return _call(action, dict(action.headers), action.body.encode())


def run_signal(action: FilledAction) -> str:
    """Ask an agent to pause, resume or restart, as swarmscope.sdk.signals understands it. Raises as `run_http`."""
    occasion = action.occasion
    body = json.dumps(
        {
            "version": 1, "id": occasion.run, "signal": action.model.signal, "agent": action.agent,
            "reason": occasion.labels.get("alertname", ""), "incident": occasion.incident,
            "runbook": occasion.runbook,
        },
        sort_keys=True,
    ).encode()  # fmt: skip
    if action.model.secret is None:
        raise BadActionError("a signal needs a secret")
    stamp = str(int(time.time()))
    headers = {
        "content-type": "application/json",
        TIMESTAMP_HEADER: stamp,
        SIGNATURE_HEADER: signature(read_secret(action.model.secret), stamp, body),
    }
    return _call(action, headers, body, method="POST")


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """`sha256=` and the hexadecimal HMAC-SHA256 of `timestamp.body`."""
    digest = hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"sha256={digest}"


def read_secret(secret: Secret) -> str:
    """The secret itself. Raises BadActionError, which says where it should have been and nothing of it."""
    if secret.env:
        found = os.environ.get(secret.env, "")
    else:
        try:
            found = Path(secret.file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadActionError(f"the secret in {secret.file} cannot be read: {type(error).__name__}") from None
    if not found:
        raise BadActionError(f"there is no secret in {secret.env or secret.file}")
    return found


def _call(action: FilledAction, headers: dict[str, str], body: bytes, method: str = "") -> str:
    model = action.model
    headers.setdefault("user-agent", _USER_AGENT)
    if model.authorization is not None:
        headers["authorization"] = read_secret(model.authorization)
    timeout_s = model.timeout / 1000
    deadline_s = time.monotonic() + timeout_s
    try:
        with (
            httpx.Client(timeout=timeout_s, follow_redirects=False) as client,
            client.stream(method or model.method, action.url, headers=headers, content=body or None) as answer,
        ):
            told = bytearray()
            for part in answer.iter_bytes():
                told += part[: MAX_OUTPUT_BYTES - len(told)]
                if len(told) >= MAX_OUTPUT_BYTES:
                    break
                if time.monotonic() > deadline_s:
                    raise BadActionError(f"the answer was not whole within {timeout_s:g} s")
            output = f"{answer.status_code} {answer.reason_phrase}\n{told.decode(errors='replace')}".strip()
            if not answer.is_success:
                raise BadActionError(output)
            return output
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise BadActionError(f"{type(error).__name__}: {error}") from None
