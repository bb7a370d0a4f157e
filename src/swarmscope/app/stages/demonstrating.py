"""The demo fleet: a process of its own, so that it costs the server nothing but what it sends."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator

_END_S = 2.0
# So that dashboards are not empty at first.
_HISTORY_S = 3600


@contextlib.asynccontextmanager
async def demonstrating(endpoint: str, token: str | None) -> AsyncIterator[None]:
    """Run the pretended fleet against an OTLP/HTTP endpoint while the context lives."""
    environment = {**os.environ, **({"SWARMSCOPE_TOKEN": token} if token else {})}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "swarmscope.app.demo", endpoint, str(_HISTORY_S),
        stdin=asyncio.subprocess.PIPE, env=environment, start_new_session=True,
    )  # fmt: skip
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _END_S)
        except TimeoutError:
            process.kill()
            await process.wait()
