import asyncio
import threading

import pytest

from swarmscope.app.workers import WorkerPool
from swarmscope.model.errors import LimitExceededError


def test_result_and_exception_come_back():
    async def main():
        pool = WorkerPool("t", 1)
        assert await pool.run(lambda a, b: a + b, 1, 2) == 3
        with pytest.raises(ZeroDivisionError):
            await pool.run(lambda: 1 / 0)
        pool.close()

    asyncio.run(main())


def test_full_queue_is_told_with_a_retry_hint_and_room_comes_back():
    async def main():
        pool, gate = WorkerPool("t", 1), threading.Event()
        waiting = [asyncio.create_task(pool.run(gate.wait, 10)) for _ in range(33)]
        await asyncio.sleep(0.01)
        with pytest.raises(LimitExceededError) as caught:
            await pool.run(lambda: None)
        assert caught.value.retry_after_s > 0
        gate.set()
        assert all(await asyncio.gather(*waiting))
        await pool.run(lambda: None)
        pool.close()

    asyncio.run(main())


def test_work_whose_caller_has_gone_keeps_its_place_until_it_ends():
    async def main():
        pool, gate = WorkerPool("t", 1), threading.Event()
        task = asyncio.create_task(pool.run(gate.wait, 10))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert pool._room == 32
        gate.set()
        await pool.run(lambda: None)
        await asyncio.sleep(0)
        assert pool._room == 33
        pool.close()

    asyncio.run(main())
