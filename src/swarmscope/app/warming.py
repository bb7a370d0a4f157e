"""Compiling every kernel before the first request: the first start takes a minute, later ones load the cache."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from swarmscope.analysis.agents import warm_up as agents
from swarmscope.api.warming import warm_up as warm_up_api
from swarmscope.app.ingestion import warm_up as ingestion
from swarmscope.fleet import warm_up as fleet
from swarmscope.ingest import warm_up as ingest
from swarmscope.ingest.genai import warm_up as genai
from swarmscope.intelligence import warm_up as intelligence
from swarmscope.query import promql
from swarmscope.query.logql import warm_up as logql
from swarmscope.query.traceql import warm_up as traceql
from swarmscope.receivers import scrape
from swarmscope.receivers.jaeger import warm_up as jaeger
from swarmscope.receivers.loki import warm_up as loki
from swarmscope.receivers.otlp import warm_up as otlp
from swarmscope.receivers.remote_write import warm_up as remote_write
from swarmscope.receivers.wire import warm_up as wire
from swarmscope.receivers.zipkin import warm_up as zipkin
from swarmscope.store.catalogue import warm_up as warm_up_catalogue
from swarmscope.store.embedded import warm_up as embedded_store

_log = logging.getLogger(__name__)


def _told(compile_part: Callable[[Callable[[str], None]], None]) -> Callable[[], None]:
    """A part that wants to tell its own progress, without it: a line a part is enough here."""
    return lambda: compile_part(lambda name: None)


# What is compiled, and how; what takes longest comes first, so that processes which share the parts end together.
_PARTS: tuple[tuple[str, Callable[[], None]], ...] = (
    ("LogQL", logql.warm_up),
    ("PromQL and histograms", promql.warm_up),
    ("TraceQL", traceql.warm_up),
    ("embedded store", embedded_store.warm_up),
    ("OTLP", otlp.warm_up),
    ("limits, redaction, derivation", ingest.warm_up),
    ("agents in spans", genai.warm_up),
    ("the fleet", fleet.warm_up),
    ("agents", agents.warm_up),
    ("exposition formats", scrape.warm_up),
    ("intelligence", intelligence.warm_up),
    ("HTTP answers", warm_up_api),
    ("wire format", _told(wire.warm_up)),
    ("remote write", _told(remote_write.warm_up)),
    ("Loki's push", _told(loki.warm_up)),
    ("Zipkin's spans", _told(zipkin.warm_up)),
    ("Jaeger's spans", _told(jaeger.warm_up)),
    ("series catalogue", warm_up_catalogue),
    ("reading files", ingestion.warm_up),
)


def warm_up(on_part: Callable[[str], None], is_wanted: Callable[[str], bool] = lambda part: True) -> float:
    """Compile or load every part that `is_wanted`; returns the seconds taken.

    `on_part` is told each part's name before it begins.
    """
    began = time.perf_counter()
    for name, compile_part in _PARTS:
        if not is_wanted(name):
            continue
        started = time.perf_counter()
        on_part(name)
        compile_part()
        _log.debug("kernels ready: %s", name, extra={"seconds": round(time.perf_counter() - started, 3)})
    return time.perf_counter() - began
