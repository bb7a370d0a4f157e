"""A request's body, read with a bound on its size before unpacking."""

from __future__ import annotations

from starlette.requests import Request

from swarmscope.model.errors import LimitExceededError


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body as it came over the wire.

    Raises LimitExceededError (`too_large`) as soon as more than `max_bytes` are announced or have arrived; what is
    still to come is then not read. Raises starlette's ClientDisconnect when the sender goes away.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > max_bytes:
        raise _too_large(max_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > max_bytes:
            raise _too_large(max_bytes)
        if chunk:
            chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def _too_large(max_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        f"the body is larger than {max_bytes} bytes", limit="limits.max_body_bytes", too_large=True
    )
