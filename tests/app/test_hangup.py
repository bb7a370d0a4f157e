import asyncio
import contextlib
import os
import signal

from swarmscope.app.program import Program
from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.scrape import ScrapeSettings


def test_a_hangup_reads_files_again_and_what_is_wrong_is_logged(caplog):
    done: list[str] = []

    def reload() -> None:
        done.append("read")
        if len(done) == 2:
            raise MalformedInputError("am.yml:3: no such receiver")

    async def main() -> None:
        program = Program(None, ScrapeSettings(), lambda addresses: None, lambda: None)
        async with contextlib.AsyncExitStack() as stack:
            program._reload_on_hangup(stack, reload)
            for n in (1, 2):
                os.kill(os.getpid(), signal.SIGHUP)
                async with asyncio.timeout(5):
                    while len(done) < n:
                        await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)

    asyncio.run(main())
    assert "reload: am.yml:3: no such receiver" in caplog.text
