"""After the warm-up no request compiles anything."""

from __future__ import annotations

import numpy as np

from swarmscope.api import json_series, number_text
from swarmscope.api.json_series import grid_points, label_sets_json, sample_points, series_json
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.remote_read import sample_messages, xor_chunks
from swarmscope.api.warming import warm_up
from swarmscope.model.series import LabelFrame, SampleColumns
from tests.api.served import Symbols

KERNELS = (
    json_series._write_series,
    json_series._write_label_sets,
    json_series._render_stamps,
    number_text._write_lines,
    xor_chunks._encode_all,
    sample_messages._write_samples,
)


def frozen(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


def test_other_forms_of_arrays_compile_nothing_new() -> None:
    told: list[tuple[int, int]] = []
    warm_up(lambda done, total: told.append((done, total)))
    assert told == [(part, len(told)) for part in range(1, len(told) + 1)]
    before = [len(kernel.signatures) for kernel in KERNELS]
    assert before == [1] * len(KERNELS)
    symbols = Symbols()
    symbols.add("x")
    texts = LabelTexts()
    raw = SampleColumns(frozen(np.array([0, 2, 2])), frozen(np.array([0, 1])), frozen(np.array([1.0, 2.0])))
    sets = [
        LabelFrame(("n",), np.zeros((1, 2), np.int32)),
        LabelFrame((), np.zeros((0, 2), np.int32)),
        LabelFrame(("n", "m"), np.asfortranarray(np.full((2, 2), 1 << 30, np.int32))),
    ]

    class Own(Symbols):
        def text(self, code: int) -> str:
            return "own"

    for frame in sets:
        labels = texts.render(frame, symbols, Own())
        label_sets_json(labels)
        transposed = np.arange(6.0).reshape(3, 2).T
        list(series_json(labels, grid_points(frozen(np.arange(3)), transposed, transposed > 1), vector=False))
        list(series_json(labels, grid_points(np.arange(3), frozen(np.ones((2, 3))), None), vector=True))
    list(series_json(texts.render(sets[0], symbols), sample_points(raw), vector=False))
    xor_chunks.encode_xor_chunks(raw)
    sample_messages.encode_samples(raw)
    number_text.double_texts(raw.value)
    assert [len(kernel.signatures) for kernel in KERNELS] == before
