import asyncio

import pytest

from swarmscope.app import connections
from swarmscope.app.ports import bind, port_of
from swarmscope.app.stages.serving import serving


async def _app(scope, receive, send):
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    text = str(size).encode()
    head = [(b"content-length", str(len(text)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": head})
    await send({"type": "http.response.body", "body": text})


async def _talk(port, pieces):
    """What comes back until the server closes, or until it falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    said = b""
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        while received := await asyncio.wait_for(reader.read(1000), 1):
            said += received
    except TimeoutError:
        return said, False
    except ConnectionError:
        return said, True
    finally:
        writer.close()
    return said, True


def _run(pieces):
    async def main():
        listener = bind("test", "127.0.0.1", 0)
        port = port_of(listener)
        async with serving(_app, listener):
            return await _talk(port, pieces)

    return asyncio.run(main())


HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


def test_a_head_without_end_is_refused():
    said, closed = _run([HEAD, *[b"X-%d: %s\r\n" % (n, b"a" * 10_000) for n in range(100)]])
    assert closed
    assert b" 200 " not in said


def test_large_bodies_on_one_connection_are_served():
    request = HEAD + b"Content-Length: 300000\r\n\r\n" + bytes(300_000)
    said, closed = _run([request, request])
    assert said.count(b"300000") == 2
    assert not closed


@pytest.mark.parametrize("sent", [[], [HEAD]], ids=["nothing", "half a head"])
def test_who_sends_no_request_is_let_go(monkeypatch, sent):
    monkeypatch.setattr(connections, "MAX_HEAD_S", 0.1)
    assert _run(sent) == (b"", True)


def test_connections_are_bounded(monkeypatch):
    monkeypatch.setattr(connections, "max_connections", lambda: 0)
    assert _run([])[1]
