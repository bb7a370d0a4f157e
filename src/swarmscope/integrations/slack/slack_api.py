"""Calls of Slack's Web API and of incoming webhooks. Source: https://docs.slack.dev/apis/web-api/"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from swarmscope.integrations.http import Answer, HttpSender, OutgoingRequest, json_body
from swarmscope.integrations.http.answers import shown_text
from swarmscope.model.alerts import FailureKind, NotifyFailedError

_AUTH = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "no_permission",
    "missing_scope", "not_allowed_token_type", "access_denied",
})  # fmt: skip
_SERVER = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})


class SlackApi:
    """Where messages go, and with which token; the token may be in the sender's own settings."""

    def __init__(self, sender: HttpSender, url: str, token: str, timeout_s: float) -> None:
        self._sender = sender
        self._url = url
        self._token = token
        self._timeout_s = timeout_s

    @property
    def has_methods(self) -> bool:
        """Whether it is the Web API, which gives messages names; an incoming webhook does not."""
        return self._url.endswith("/chat.postMessage")

    async def post(self, message: dict[str, Any]) -> dict[str, Any]:
        """Post a message to the address itself. Raises NotifyFailedError."""
        answer = await self._deliver(self._url, json_body(message), "application/json; charset=utf-8")
        return _checked(answer, self.has_methods, self._token)

    async def call(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """Call another method. Raises NotifyFailedError."""
        body = json_body(arguments)
        return _checked(await self._deliver(self._method(method), body, "application/json; charset=utf-8"), True)

    async def call_form(self, method: str, arguments: dict[str, str]) -> dict[str, Any]:
        """Call a method that takes no JSON. Raises NotifyFailedError."""
        body = urlencode(arguments).encode()
        return _checked(await self._deliver(self._method(method), body, "application/x-www-form-urlencoded"), True)

    async def upload(self, url: str, content: bytes) -> None:
        """Send a file's content where Slack wants it. The address is a secret in itself, and gets no token."""
        await self._sender.without_authorization().deliver(
            OutgoingRequest(
                url, content, headers={"Content-Type": "application/octet-stream"}, timeout_s=self._timeout_s
            )
        )

    def _method(self, name: str) -> str:
        return self._url.removesuffix("chat.postMessage") + name

    async def _deliver(self, url: str, body: bytes, content_type: str) -> Answer:
        headers = {"Content-Type": content_type}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        return await self._sender.deliver(
            OutgoingRequest(url, body, headers=headers, timeout_s=self._timeout_s, secrets=(self._token,))
        )


def _checked(answer: Answer, is_method: bool, token: str = "") -> dict[str, Any]:
    """The answer's JSON. Slack answers 200 to what it refuses, so the body decides."""
    found = answer.json()
    if isinstance(found, dict) and isinstance(found.get("ok"), bool):
        if found["ok"]:
            return found
        raise _refusal(str(found.get("error", "unknown error"))[:200])
    if is_method:
        raise NotifyFailedError(
            f"slack: the answer is none of the API's: {shown_text(answer.body, (token,))}".rstrip(": "),
            retryable=True,
            kind=FailureKind.SERVER,
        )
    if answer.body.strip() not in (b"", b"ok") and not isinstance(found, dict):
        raise NotifyFailedError(
            f"slack: the webhook answers {shown_text(answer.body, (token,))}", retryable=False, kind=FailureKind.CLIENT
        )
    return {}


def _refusal(error: str) -> NotifyFailedError:
    if error in _LIMITED:
        return NotifyFailedError(f"slack: {error}", retryable=True, kind=FailureKind.RATE_LIMITED)
    if error in _SERVER:
        return NotifyFailedError(f"slack: {error}", retryable=True, kind=FailureKind.SERVER)
    kind = FailureKind.AUTH if error in _AUTH else FailureKind.CLIENT
    return NotifyFailedError(f"slack: {error}", retryable=False, kind=kind)
