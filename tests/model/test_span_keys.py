"""Keys of spans: the same for the same ids, 0 for no span, and different for everything else."""

import numpy as np
from numba import njit

from swarmscope.model.span_keys import span_key, span_keys

SEED = 0xFEDC_BA98_7654_3210


@njit
def one_key(seed, trace_low, trace_high, span):
    return span_key(seed, trace_low, trace_high, span)


def _ids(n: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(5)
    return generator.integers(0, 256, (n, 16), np.uint8), generator.integers(0, 256, (n, 8), np.uint8)


def test_no_span_has_no_key():
    traces, spans = _ids(3)
    spans[1] = 0
    keys = span_keys(SEED, traces, spans)
    assert (keys == 0).tolist() == [False, True, False]


def test_a_key_depends_on_every_bit_of_both_ids():
    traces, spans = _ids(1)
    keys = {int(span_keys(SEED, traces, spans)[0])}
    for ids in (traces, spans):
        for bit in range(ids.size * 8):
            ids[0, bit // 8] ^= 1 << (bit % 8)
            keys.add(int(span_keys(SEED, traces, spans)[0]))
            ids[0, bit // 8] ^= 1 << (bit % 8)
    assert len(keys) == 1 + 128 + 64


def test_slices_and_kernels_agree():
    traces, spans = _ids(100)
    keys = span_keys(SEED, traces, spans)
    assert (span_keys(SEED, traces[::2], spans[::2]) == keys[::2]).all()
    words = traces.view(np.uint64)
    assert one_key(np.uint64(SEED), words[7, 0], words[7, 1], spans.view(np.uint64)[7, 0]) == keys[7]


def test_no_rows_and_other_seeds():
    traces, spans = _ids(10)
    assert len(span_keys(SEED, traces[:0], spans[:0])) == 0
    assert not (span_keys(SEED, traces, spans) == span_keys(SEED + 1, traces, spans)).any()
