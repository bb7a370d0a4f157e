"""Compiles every kernel of the API ahead of the first request, or loads it from Numba's cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swarmscope.api.json_series import grid_points, label_sets_json, sample_points, series_json
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.loki.log_json import streams_json
from swarmscope.api.number_text import double_text
from swarmscope.api.remote_read.frames import crc32c
from swarmscope.api.remote_read.histogram_chunks import encode_histogram_chunks
from swarmscope.api.remote_read.histogram_spans import HistogramRow
from swarmscope.api.remote_read.sample_messages import encode_samples
from swarmscope.api.remote_read.xor_chunks import encode_xor_chunks
from swarmscope.api.traces import dependencies
from swarmscope.model.labels import Utf8Column
from swarmscope.model.series import ABSENT, LabelFrame, SampleColumns
from swarmscope.query.logql.log_answers import AnswerLabels, AnswerStream, LogsResult


class _OneSymbol:
    def text(self, code: int) -> str:
        return "x"

    def code(self, text: str) -> int:
        return ABSENT


def warm_up(progress: Callable[[int, int], None] | None = None) -> None:
    """Run every kernel once on tiny input; `progress` is told (done, of how many) after each stage."""
    stages = (_warm_answers, _warm_lines, _warm_remote_read, dependencies.warm_up)
    for done, stage in enumerate(stages, 1):
        stage()
        if progress is not None:
            progress(done, len(stages))


def _samples() -> SampleColumns:
    return SampleColumns(np.array([0, 3]), np.array([0, 1000, 2500]), np.array([1.0, 0.1, 1e300]))


def _warm_answers() -> None:
    double_text(0.5)
    labels = LabelTexts().render(LabelFrame(("n",), np.zeros((1, 1), np.int32)), _OneSymbol())
    label_sets_json(labels)
    times = np.array([0, 1000, 2500])
    for points in (sample_points(_samples()), grid_points(times, np.ones((1, 3)), np.zeros((1, 3), np.bool_))):
        for vector in (False, True):
            list(series_json(labels, points, vector=vector))


def _warm_lines() -> None:
    group = np.array([0, 1, 1])
    labels = AnswerLabels.from_streams([AnswerStream({"a": "b"}, {"c": "d"}, {}), AnswerStream({}, {}, {"e": "f"})])
    result = LogsResult(np.array([1, 2, 3]), Utf8Column.from_strings(["x", "\n", "\x01"]), group, labels)
    for categorised in (False, True):
        streams_json(result, categorised=categorised)


def _warm_remote_read() -> None:
    encode_samples(_samples())
    encode_xor_chunks(_samples())
    crc32c(b"x")
    for is_float in (False, True):
        row = HistogramRow(0, 0, 0, is_float, 0.001, 1.0, 2.0, 3.0, ((0, 1),), (1.0,), (), (), ())
        custom = row._replace(schema=-53, custom_bounds=(0.5, 1 / 3))
        list(encode_histogram_chunks([row, row._replace(ts_ms=1), row._replace(ts_ms=3)]))
        list(encode_histogram_chunks([custom]))
