"""The composition root: everything is started in order and stopped in mirror order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import platform
import signal
import threading
import time
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from swarmscope import __version__
from swarmscope.app.access import Tokens, guarded
from swarmscope.app.bodies import BodyRoom, BoundedBodies
from swarmscope.app.clock import SystemClock
from swarmscope.app.ports import port_of, spell_address
from swarmscope.app.settings import Settings
from swarmscope.app.stages.alerting import alerting_sources, make_alerting, with_alerts
from swarmscope.app.stages.demonstrating import demonstrating
from swarmscope.app.stages.intake import Kept, make_intake
from swarmscope.app.stages.intelligence import make_intelligence
from swarmscope.app.stages.listening import Listeners, Listening
from swarmscope.app.stages.query_apis import compat_app, make_query_apis
from swarmscope.app.stages.reading import main_app, make_api_parts
from swarmscope.app.stages.receiving import scraping, serving_grpc
from swarmscope.app.stages.sampling import make_sampling
from swarmscope.app.stages.serving import serving
from swarmscope.app.stages.storage import StoreFigures, open_store
from swarmscope.app.target_pages import TargetPages
from swarmscope.app.workers import WorkerPool
from swarmscope.instrument import metrics
from swarmscope.model.agents import Vocabulary
from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.scrape import ScrapeSettings

_log = logging.getLogger(__name__)


class Program:
    """The running server. `on_ready` is told where it listens, `on_stop` that it begins to end."""

    def __init__(
        self,
        settings: Settings,
        jobs: ScrapeSettings,
        on_ready: Callable[[Sequence[Listening]], None],
        on_stop: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._jobs = jobs
        self._on_ready = on_ready
        self._on_stop = on_stop
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the program; what was acknowledged is flushed first."""
        if not self._stopping.is_set():
            self._on_stop()
        self._stopping.set()

    async def run(self, listeners: Listeners) -> None:
        """Serve until `stop` is called or a signal comes."""
        async with contextlib.AsyncExitStack() as stack:
            self._catch_signals(stack)
            addresses = await self._start(stack, listeners)
            metrics.READY_TIME_S.set(time.time())
            metrics.BUILD_INFO.labels(version=__version__, python=platform.python_version()).set(1)
            self._on_ready(addresses)
            await self._stopping.wait()
            _log.info("stopping")

    async def _start(self, stack: contextlib.AsyncExitStack, listeners: Listeners) -> list[Listening]:
        settings, clock = self._settings, SystemClock()
        loop = asyncio.get_running_loop()
        sampling = make_sampling(settings)
        judge = None if sampling is None else sampling.judge
        vocabulary = Vocabulary()
        store = await loop.run_in_executor(None, open_store, settings, clock, judge, vocabulary)
        stack.callback(store.close)
        stack.enter_context(metrics.refreshed_by(StoreFigures(store).refresh))
        writers = WorkerPool("write", settings.api.worker_threads)
        stack.callback(writers.close)
        readers = WorkerPool("read", settings.api.worker_threads)
        stack.callback(readers.close)
        administrators = WorkerPool("admin", 1)
        stack.callback(administrators.close)

        intake = make_intake(settings, self._jobs, Kept(store, sampling, store.fleet, vocabulary), clock, writers)
        stack.enter_context(metrics.refreshed_by(intake.refresh))
        stack.enter_context(intake.watching())
        stack.enter_context(intake.deriving())

        targets = TargetPages(intake.scraper.targets, [job.name for job in self._jobs.jobs])
        parts = make_api_parts(settings, store, clock, readers, targets, administrators)
        apis = make_query_apis(settings, store, parts, intake.fleet)
        url = f"http://{spell_address(settings.host, port_of(listeners.main))}"
        alerting = make_alerting(settings, alerting_sources(store, intake, apis), url, clock)
        stack.enter_context(alerting.working())
        self._reload_on_hangup(stack, alerting.reload)
        apis = with_alerts(settings, apis, alerting)
        measured: Sequence[BaseRoute] = ()
        if intake.fleet is not None:
            intelligence = make_intelligence(settings, store, intake, intake.fleet, apis.prometheus)
            stack.enter_context(intelligence.measuring())
            measured = intelligence.routes
        parts = apis.prometheus
        tokens = Tokens(token.get_secret_value() for token in settings.auth.tokens)
        bodies = BodyRoom()

        def guard(app: ASGIApp) -> ASGIApp:
            return guarded(BoundedBodies(app, bodies), tokens)

        await stack.enter_async_context(scraping(intake.scraper))
        await stack.enter_async_context(intake.serve_datagrams())
        grpc_port = await stack.enter_async_context(
            serving_grpc(intake.signals, settings.host, settings.otlp_grpc_port, tokens)
        )
        await stack.enter_async_context(serving(guard(Starlette(routes=intake.otlp_routes)), listeners.otlp_http))
        for kind, listener in listeners.compat.items():
            await stack.enter_async_context(serving(compat_app(kind, apis, intake, guard), listener))
        # The main port comes last: once it answers, everything does.
        routes = [*intake.routes, *apis.routes, *measured]
        await stack.enter_async_context(serving(main_app(parts, routes, guard), listeners.main))
        if settings.demo:
            endpoint = f"http://{spell_address(settings.host, port_of(listeners.otlp_http))}"
            await stack.enter_async_context(demonstrating(endpoint, tokens.first))
        # Stopped first: a request that waits for it would keep its server from ending.
        stack.callback(store.engine.stop_administration)
        return listeners.addresses(grpc_port)

    def _reload_on_hangup(self, stack: contextlib.AsyncExitStack, reload: Callable[[], None]) -> None:
        """SIGHUP reads files again; what is wrong is logged, and changes nothing."""

        def work() -> None:
            try:
                reload()
            except SwarmscopeError as error:
                _log.error("reload: %s", error)

        loop = asyncio.get_running_loop()
        # Reading takes a while, and requests shall not wait for it.
        loop.add_signal_handler(signal.SIGHUP, lambda: threading.Thread(target=work, daemon=True).start())
        stack.callback(loop.remove_signal_handler, signal.SIGHUP)

    def _catch_signals(self, stack: contextlib.AsyncExitStack) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.stop)
            # Impatient senders signal to the last: without a handler that would end the process with another exit code.
            stack.callback(signal.signal, number, signal.SIG_IGN)
            stack.callback(loop.remove_signal_handler, number)
