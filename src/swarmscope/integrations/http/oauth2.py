"""Access tokens of the client credentials grant. Source: RFC 6749, section 4.4"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode

from swarmscope.integrations.http.answers import Answer
from swarmscope.integrations.http.http_settings import OAuth2
from swarmscope.model.alerts import FailureKind, NotifyFailedError

_EARLY_S = 10.0  # a token that is about to end is not used any more
_DEFAULT_LIFE_S = 300.0  # where the answer does not say

PostForm = Callable[[str, str], Awaitable[Answer]]


class TokenSource:
    """Keeps the last token until shortly before it ends."""

    def __init__(self, settings: OAuth2) -> None:
        self._settings = settings
        self._token = ""
        self._ends_s = 0.0
        self._lock = asyncio.Lock()

    async def token(self, secret: str, post: PostForm) -> str:
        """A token that is good now. `post` sends a form to an address. Raises NotifyFailedError."""
        async with self._lock:
            if not self._token or time.monotonic() >= self._ends_s - _EARLY_S:
                await self._fetch(secret, post)
            return self._token

    def forget(self) -> None:
        """Fetch a new one the next time: the last was refused."""
        self._token = ""

    async def _fetch(self, secret: str, post: PostForm) -> None:
        form = {"grant_type": "client_credentials", **self._settings.endpoint_params}
        if self._settings.scopes:
            form["scope"] = " ".join(self._settings.scopes)
        form |= {"client_id": self._settings.client_id, "client_secret": secret}
        found = (await post(self._settings.token_url, urlencode(form))).json()
        token = found.get("access_token") if isinstance(found, dict) else None
        if not isinstance(found, dict) or not isinstance(token, str) or not token:
            raise NotifyFailedError("oauth2: the answer holds no access_token", retryable=True, kind=FailureKind.AUTH)
        life = found.get("expires_in")
        life_s = float(life) if isinstance(life, int | float) and not isinstance(life, bool) else _DEFAULT_LIFE_S
        self._token, self._ends_s = token, time.monotonic() + life_s
