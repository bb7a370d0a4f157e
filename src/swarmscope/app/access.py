"""Who may talk to the program: a bearer token, or the same token as the password of Basic authentication.

Without any token everybody may, and the settings then allow no address but loopback.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Iterable
from typing import Any

import grpc
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from swarmscope.app.browsers import BrowserGuard

# Probes of orchestrators bring no token, and these two tell nothing but that the program is there.
OPEN_PATHS = frozenset({"/-/healthy", "/-/ready"})


class Tokens:
    """The accepted tokens; comparisons take the same time whatever is wrong."""

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = [token.encode() for token in tokens]

    def __bool__(self) -> bool:
        return bool(self._tokens)

    @property
    def first(self) -> str | None:
        """A token for the program's own use, None where none is needed."""
        return self._tokens[0].decode() if self._tokens else None

    def accepts(self, authorization: str) -> bool:
        """Whether the value of an `Authorization` header carries an accepted token."""
        scheme, _, credentials = authorization.partition(" ")
        credentials = credentials.strip()
        if scheme.lower() == "bearer":
            given = credentials.encode("latin-1", "replace")
        elif scheme.lower() == "basic":
            try:
                given = base64.b64decode(credentials, validate=True).partition(b":")[2]
            except (binascii.Error, ValueError):
                return False
        else:
            return False
        # No early exit: how long it takes must not tell which token was close.
        return sum([hmac.compare_digest(given, token) for token in self._tokens]) > 0


class Doorkeeper:
    """ASGI middleware that answers 401 where no accepted token comes along, but for `OPEN_PATHS`."""

    def __init__(self, app: ASGIApp, tokens: Tokens) -> None:
        self._app = app
        self._tokens = tokens

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through, or refuse it."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        if scope["path"] in OPEN_PATHS or self._tokens.accepts(header.decode("latin-1")):
            await self._app(scope, receive, send)
            return
        response = PlainTextResponse(
            "Unauthorized\n", 401, {"WWW-Authenticate": 'Bearer realm="swarmscope", Basic realm="swarmscope"'}
        )
        await response(scope, receive, send)


def guarded(app: ASGIApp, tokens: Tokens) -> ASGIApp:
    """`app` behind the doorkeeper where tokens are configured, and in any case closed to foreign web pages."""
    return BrowserGuard(Doorkeeper(app, tokens) if tokens else app, is_open=not tokens)


class TokenInterceptor(grpc.ServerInterceptor):  # type: ignore[misc]
    """The doorkeeper of gRPC: UNAUTHENTICATED where no accepted token comes along."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    def intercept_service(self, continuation: Callable[[Any], Any], handler_call_details: Any) -> Any:
        """Let the call through, or answer it with the refusal."""
        for key, value in handler_call_details.invocation_metadata:
            if key == "authorization" and self._tokens.accepts(str(value)):
                return continuation(handler_call_details)
        return self._refusal


def _refuse(body: bytes, context: Any) -> bytes:
    context.abort(grpc.StatusCode.UNAUTHENTICATED, "an access token is needed")
    raise AssertionError("abort returned")
