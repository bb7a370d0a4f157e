import asyncio

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from swarmscope.app.bodies import BodyRoom, BoundedBodies

SCOPE = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b"", "root_path": ""}


async def _read(request):
    try:
        return PlainTextResponse(str(len(await request.body())))
    except ClientDisconnect:
        return PlainTextResponse("gone", 400)


class Sender:
    """One request whose body comes when the test lets it."""

    def __init__(self, room, method="POST"):
        self._app = BoundedBodies(Starlette(routes=[Route("/", _read, methods=["POST", "GET"])]), room)
        self._scope = {**SCOPE, "method": method}
        self._messages = asyncio.Queue()
        self.answer = []
        self.task = asyncio.create_task(self._app(self._scope, self._messages.get, self._take))

    async def _take(self, message):
        self.answer.append(message)

    async def bring(self, size, *, more=True):
        self._messages.put_nowait({"type": "http.request", "body": bytes(size), "more_body": more})
        for _ in range(20):
            await asyncio.sleep(0)

    async def status(self):
        await asyncio.wait_for(self.task, 5)
        return self.answer[0]["status"]


def test_bodies_together_are_bounded_and_given_back():
    async def main():
        room = BodyRoom(max_bytes=1000)
        first, second = Sender(room), Sender(room)
        await first.bring(600)
        await second.bring(300)
        await second.bring(300)
        assert await second.status() == 429
        assert dict(second.answer[0]["headers"])[b"retry-after"] == b"1"
        assert room.held_bytes == 600
        await first.bring(300, more=False)
        assert await first.status() == 200
        assert first.answer[1]["body"] == b"900"
        assert room.held_bytes == 0

    asyncio.run(main())


def test_a_body_that_is_larger_than_all_room_comes_alone():
    async def main():
        room = BodyRoom(max_bytes=1000)
        sender = Sender(room)
        await sender.bring(5000, more=False)
        assert await sender.status() == 200
        assert room.held_bytes == 0

    asyncio.run(main())


def test_a_trickle_ends():
    async def main():
        room = BodyRoom(max_body_s=0.05)
        sender = Sender(room)
        await sender.bring(1)
        assert await sender.status() == 408
        assert dict(sender.answer[0]["headers"])[b"connection"] == b"close"
        assert len([message for message in sender.answer if message["type"] == "http.response.start"]) == 1
        assert room.held_bytes == 0

    asyncio.run(main())


def test_room_is_given_back_when_the_handler_fails():
    async def fail(scope, receive, send):
        await receive()
        raise RuntimeError

    async def main():
        room = BodyRoom()

        async def receive():
            return {"type": "http.request", "body": b"123", "more_body": True}

        try:
            await BoundedBodies(fail, room)(SCOPE, receive, None)
        except RuntimeError:
            assert room.held_bytes == 0
        else:
            raise AssertionError

    asyncio.run(main())
