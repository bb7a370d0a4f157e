"""What a web page in somebody's browser may make it send us.

A page of any origin can reach loopback, and where no token is needed it would be served like the user: it could read by
giving its own host name our address (DNS rebinding), and write or delete by a simple POST that needs no permission. So
without tokens only pages of this machine are served. With tokens a page has none, unless the browser remembers
Basic credentials: then it may still not change anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from swarmscope.app.settings.fields import is_loopback

# POST is only a long GET at these endpoints of the Prometheus API.
_READING = ("query", "query_range", "query_exemplars", "format_query", "parse_query", "series", "labels", "read")
_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")


class BrowserGuard:
    """ASGI middleware that answers 403 to what a foreign page sent; what is not from a browser passes."""

    def __init__(self, app: ASGIApp, *, is_open: bool) -> None:
        """`is_open`: no token is needed."""
        self._app = app
        self._is_open = is_open

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        refusal = None
        if scope["type"] in ("http", "websocket"):
            headers = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _LOOKED_AT}
            refusal = self._refusal(scope.get("method", _WEBSOCKET), scope["path"], headers)
        if refusal is None:
            await self._app(scope, receive, send)
        else:
            await PlainTextResponse(f"{refusal}\n", 403)(scope, receive, send)

    def _refusal(self, method: str, path: str, headers: Mapping[bytes, str]) -> str | None:
        host = headers.get(b"host", "")
        if self._is_open and not _is_address(host):
            return f"host {host!r} is refused while no token is configured: use 127.0.0.1 or localhost"
        origin = headers.get(b"origin")
        if origin is None:
            # Pictures and scripts of a page come without Origin; a link that somebody follows is "navigate".
            is_foreign = self._is_open and headers.get(b"sec-fetch-site") == "cross-site"
            if is_foreign and headers.get(b"sec-fetch-mode") != "navigate":
                return "requests by pages of other sites are refused while no token is configured"
            return None
        if urlsplit(origin).netloc == host or _is_local(origin):
            return None
        if self._is_open:
            return f"origin {origin!r} is refused while no token is configured"
        if method == _WEBSOCKET:  # what it says, a page of any origin could read
            return f"a page of {origin!r} may not open a websocket here"
        is_change = method not in _SAFE_METHODS and path.rpartition("/")[2] not in _READING
        return f"a page of {origin!r} may not change anything here" if is_change else None


_WEBSOCKET = "WEBSOCKET"  # stands for the method of a request that has none
_LOOKED_AT = frozenset((b"host", b"origin", b"sec-fetch-site", b"sec-fetch-mode"))


def _hostname(authority: str) -> str:
    try:
        return urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return authority


def _is_address(host: str) -> bool:
    """Whether no DNS answer can bring a browser here under this name. HTTP/1.0 clients give none."""
    name = _hostname(host)
    return not host or name.endswith(".localhost") or is_loopback(name)


def _is_local(origin: str) -> bool:
    """Whether the page was served by this machine."""
    try:
        name = urlsplit(origin).hostname or ""
    except ValueError:
        return False
    return name.endswith(".localhost") or is_loopback(name)
