"""The part of a scrape that runs in a worker thread: unpack, decode, label, write."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from swarmscope.model.contracts import Receipt, SeriesIndex, Sink
from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.scrape.batch_join import join_batches
from swarmscope.receivers.scrape.classic_histograms import ClassicConverter
from swarmscope.receivers.scrape.config_model import ScrapeJob
from swarmscope.receivers.scrape.exposition import Exposition
from swarmscope.receivers.scrape.histogram_limits import limit_buckets
from swarmscope.receivers.scrape.http_client import MAX_BODY_BYTES, Answer, FetchError, decompress
from swarmscope.receivers.scrape.negotiation import chosen_protocol
from swarmscope.receivers.scrape.protobuf_decode import decode_protobuf
from swarmscope.receivers.scrape.sample_labels import SampleLimitError
from swarmscope.receivers.scrape.series_state import BuiltScrape, TargetSeries
from swarmscope.receivers.scrape.target import Target
from swarmscope.receivers.scrape.text_decode import decode_text
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, batch_bytes

REPORT_NAMES = (
    "up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)  # fmt: skip
# Bytes for each byte of a body: 13 while the shortest lines are scanned (measured), the rest for labels of new series
# and for metadata.
_DECODE_FACTOR = 64
EXTRA_NAMES = ("scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes")


@dataclass(frozen=True, slots=True)
class ScrapeOutcome:
    """How a scrape ended; `error` is empty when the target is up."""

    error: str
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came over HTTP: an answer, or the reason why none came."""

    answer: Answer | None
    error: str
    begun_s: float  # time.perf_counter


class ScrapeWork:
    """One target's decoding and writing. Used by one thread at a time."""

    def __init__(
        self, job: ScrapeJob, target: Target, sink: Sink, index: SeriesIndex, room: DecodeRoom | None = None
    ) -> None:
        self._room = room or DecodeRoom()
        self._job = job
        self._target = target
        self._sink = sink
        self.series = TargetSeries(job, target, index)
        self._converter = ClassicConverter(job.classic_histograms) if job.convert_classic else None

    def run(self, fetched: Fetched, ts_ms: int) -> ScrapeOutcome:
        """Store a scrape's samples and report; raises nothing but programming errors."""
        with self._room.taken() as share:
            return self._run(fetched, ts_ms, share)

    def _run(self, fetched: Fetched, ts_ms: int, share: Share) -> ScrapeOutcome:
        built: BuiltScrape | None = None
        error, body_bytes = fetched.error, 0
        if fetched.answer is not None:
            try:
                body = decompress(fetched.answer, self._job.body_size_limit or MAX_BODY_BYTES)
                body_bytes = len(body)
                share.resize(_DECODE_FACTOR * body_bytes)
                built = self.series.build(self._decode(body, fetched.answer.content_type), ts_ms)
            except (FetchError, SwarmscopeError, SampleLimitError) as reason:
                error = str(reason)
        batch = self.series.report_batch(self._report(fetched, built, body_bytes), ts_ms)
        if built is not None:
            batch = join_batches(built.batch, batch)
            share.resize(min(share.n_bytes, body_bytes + batch_bytes(batch)))
        try:
            receipt = self._sink.write_metrics(batch)
            self._mark_vanished(built, ts_ms)
        except SwarmscopeError as reason:
            self.series.forget_extras()
            return ScrapeOutcome(f"the samples could not be stored: {reason}")
        if built is not None:
            self.series.remember(built)
        return ScrapeOutcome(error, _refusals(receipt))

    def _decode(self, body: bytes, content_type: str) -> Exposition:
        protocol = chosen_protocol(content_type, self._job.config.fallback_scrape_protocol)
        seed = self.series.seed
        if protocol == "PrometheusProto":
            native, classic = self._job.native_histograms, self._job.classic_histograms
            exposition = decode_protobuf(body, seed=seed, native=native, classic=classic)
        else:
            exposition = decode_text(
                np.frombuffer(body, np.uint8),
                openmetrics=protocol.startswith("OpenMetrics"),
                seed=seed,
                cache=self.series.family_cache,
            )
        if self._converter is not None:
            exposition = self._converter.convert(exposition, seed)
        config = self._job.config
        return limit_buckets(
            exposition, config.native_histogram_bucket_limit, config.native_histogram_min_bucket_factor
        )

    def _report(self, fetched: Fetched, built: BuiltScrape | None, body_bytes: int) -> dict[str, float]:
        numbers = (built.scraped, built.post_relabel, built.added) if built is not None else (0, 0, 0)
        values = (float(built is not None), time.perf_counter() - fetched.begun_s, *map(float, numbers))
        report = dict(zip(REPORT_NAMES, values, strict=True))
        if self._job.extra_metrics:
            extra = (self._target.timeout_ms / 1000, float(self._job.sample_limit), float(body_bytes))
            report |= dict(zip(EXTRA_NAMES, extra, strict=True))
        return report

    def _mark_vanished(self, built: BuiltScrape | None, ts_ms: int) -> None:
        """Stale markers are written after the samples: only then does the catalogue know which series go on."""
        tracked = built.tracked if built is not None else np.zeros(0, np.uint64)
        keys, refs = self.series.take_vanished(tracked)
        if len(keys):
            self._sink.write_metrics(self.series.stale_batch(keys, refs, ts_ms))

    def end(self, ts_ms: int) -> None:
        """The target is gone: mark its series and its report stale."""
        names = [*REPORT_NAMES, *(EXTRA_NAMES if self._job.extra_metrics else ())]
        keys, refs = self.series.take_vanished(np.zeros(0, np.uint64))
        report_keys, report_refs = self.series.known(self.series.report_keys(names))
        keys, refs = np.concatenate((keys, report_keys)), np.concatenate((refs, report_refs))
        if len(keys):
            self._sink.write_metrics(self.series.stale_batch(keys, refs, ts_ms))


def _refusals(receipt: Receipt) -> str:
    return "; ".join(f"{count} samples refused: {reason}" for reason, count in receipt.refused.items())
