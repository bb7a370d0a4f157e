"""Jaeger's agent over UDP: a datagram holds a batch; what comes faster than it is decoded is dropped and counted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

from swarmscope.instrument import metrics
from swarmscope.model.contracts import SpanSink
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.receivers.jaeger.agent import DatagramDecoder
from swarmscope.receivers.jaeger.routes import PROTOCOL
from swarmscope.receivers.jaeger.settings import JaegerSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.span_push import Outcome, Run, SpanPush

_LOG = logging.getLogger(__name__)
_WORKERS = 2  # for each socket: one decodes while the other waits for its spans to be durable
_BYTES_AT_ONCE = 1 << 20
_WARN_EVERY_S = 60.0
_RECEIVE_BYTES = 4 << 20  # asked of the kernel, which may give less
_DRAIN_S = 5.0


class DatagramQueue(asyncio.DatagramProtocol):
    """Takes datagrams off the socket into a bounded queue."""

    def __init__(self, max_waiting: int) -> None:
        self.waiting: asyncio.Queue[bytes] = asyncio.Queue(max_waiting)

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:
        """As `asyncio.DatagramProtocol`."""
        try:
            self.waiting.put_nowait(data)
        except asyncio.QueueFull:
            _count("dropped")

    def error_received(self, exc: Exception) -> None:
        """As `asyncio.DatagramProtocol`; a listener has nobody to tell."""
        _LOG.debug("an error on the agent's socket: %s", exc)


def _count(outcome: str, count: int = 1) -> None:
    metrics.JAEGER_DATAGRAMS.labels(outcome=outcome).inc(count)


class _Workers:
    """Decode what waits, many datagrams at once: writing takes as long for one as for a hundred.

    Nobody is answered over UDP, so what is refused is counted, and logged now and then.
    """

    def __init__(self, queue: DatagramQueue, decoder: DatagramDecoder, push: SpanPush, run: Run) -> None:
        self._waiting = queue.waiting
        self._decoder = decoder
        self._push = push
        self._run = run
        self._warned_s = -_WARN_EVERY_S

    async def work(self) -> None:
        """Until it is cancelled."""
        while True:
            datagrams = [await self._waiting.get()]
            n_bytes = len(datagrams[0])
            while n_bytes < _BYTES_AT_ONCE and not self._waiting.empty():
                datagrams.append(self._waiting.get_nowait())
                n_bytes += len(datagrams[-1])
            try:
                await self._take(datagrams)
            finally:
                for _ in datagrams:
                    self._waiting.task_done()

    async def _take(self, datagrams: list[bytes]) -> None:
        try:
            outcome, faults = await self._run(self._write, datagrams)
        except SwarmscopeError as error:
            self._warn("%d datagrams are refused: %s", len(datagrams), error)
            _count("refused", len(datagrams))
            return
        except Exception:
            _LOG.exception("%d datagrams of Jaeger's agent failed", len(datagrams))
            _count("failed", len(datagrams))
            return
        if faults:
            self._warn("%d datagrams are malformed; the first one: %s", len(faults), faults[0])
            _count("malformed", len(faults))
        reasons = {**outcome.refused, **outcome.receipt.refused} if outcome is not None else {}
        if reasons:
            self._warn("%d spans are refused: %s", sum(reasons.values()), "; ".join(reasons))
        _count("partial" if reasons else "ok", len(datagrams) - len(faults))

    def _write(self, datagrams: list[bytes]) -> tuple[Outcome | None, list[str]]:
        with self._push.taken() as share:
            pushed, faults = self._decoder.decode(datagrams, DEFAULT_TENANT, share)
            return None if pushed is None else self._push.write(pushed), faults

    def _warn(self, text: str, count: int, detail: object) -> None:
        now_s = time.monotonic()
        if now_s - self._warned_s >= _WARN_EVERY_S:
            self._warned_s = now_s
            _LOG.warning(text, count, detail)


def _open(host: str, port: int) -> socket.socket:
    """A bound socket. Raises OSError where the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        opened.setblocking(False)
        opened.bind((host, port))
    except OSError:
        opened.close()
        raise
    return opened


@contextlib.asynccontextmanager
async def serving_udp(
    settings: JaegerSettings, sink: SpanSink, run: Run, room: DecodeRoom | None = None
) -> AsyncIterator[dict[str, int]]:
    """Listen while the context lives; gives the ports by protocol ("compact", "binary"), for port 0 the real ones.

    What waits at the end is still decoded, for some seconds. Raises OSError where a port is taken.
    """
    push = SpanPush(PROTOCOL, settings.limits, sink, run, room)
    ports = {"compact": settings.udp_compact_port, "binary": settings.udp_binary_port}
    opened: dict[str, int] = {}
    async with contextlib.AsyncExitStack() as stack:
        for name, port in ports.items():
            if port is not None:
                decoder = DatagramDecoder(compact=name == "compact")
                opened[name] = await stack.enter_async_context(_listening(settings, port, decoder, push, run))
        yield opened


@contextlib.asynccontextmanager
async def _listening(
    settings: JaegerSettings, port: int, decoder: DatagramDecoder, push: SpanPush, run: Run
) -> AsyncIterator[int]:
    queue = DatagramQueue(settings.max_waiting_datagrams)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: queue, sock=_open(settings.udp_host, port))
    workers = _Workers(queue, decoder, push, run)
    tasks = [asyncio.create_task(workers.work()) for _ in range(_WORKERS)]
    try:
        yield int(transport.get_extra_info("sockname")[1])
    finally:
        transport.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(queue.waiting.join(), _DRAIN_S)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
