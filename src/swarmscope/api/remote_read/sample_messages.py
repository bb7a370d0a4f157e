"""Float samples as protobuf `Sample` fields of a `TimeSeries`, written by compiled code."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.plain_arrays import plain_array
from swarmscope.model.series import SampleColumns

# Tag and length, tag and double, tag and a varint of ten bytes at the most.
_MAX_SAMPLE_BYTES = 2 + 9 + 11
_SAMPLES_TAG, _VALUE_TAG, _TIMESTAMP_TAG = 0x12, 0x09, 0x10


@njit(nogil=True, cache=True)
def _write_samples(
    offsets: NDArray[np.int64],
    ts_ms: NDArray[np.int64],
    bits: NDArray[np.uint64],
    out: NDArray[np.uint8],
    ends: NDArray[np.int64],
) -> None:
    at = 0
    for series in range(len(ends)):
        for i in range(offsets[series], offsets[series + 1]):
            out[at] = _SAMPLES_TAG
            out[at + 2] = _VALUE_TAG
            value = bits[i]
            for byte in range(8):
                out[at + 3 + byte] = np.uint8((value >> np.uint64(8 * byte)) & np.uint64(0xFF))
            out[at + 11] = _TIMESTAMP_TAG
            end = at + 12
            rest = np.uint64(ts_ms[i])
            while rest >= np.uint64(0x80):
                out[end] = np.uint8((rest & np.uint64(0x7F)) | np.uint64(0x80))
                rest >>= np.uint64(7)
                end += 1
            out[end] = np.uint8(rest)
            end += 1
            out[at + 1] = np.uint8(end - at - 2)
            at = end
        ends[series] = at


def encode_samples(samples: SampleColumns) -> list[bytes]:
    """The `samples` fields of each series."""
    bits = plain_array(samples.value, np.float64).view(np.uint64)
    out = np.empty(len(samples.ts_ms) * _MAX_SAMPLE_BYTES, np.uint8)
    ends = np.empty(len(samples.offsets) - 1, np.int64)
    _write_samples(plain_array(samples.offsets, np.int64), plain_array(samples.ts_ms, np.int64), bits, out, ends)
    bounds = [0, *ends.tolist()]
    return [out[start:end].tobytes() for start, end in zip(bounds, bounds[1:], strict=False)]
