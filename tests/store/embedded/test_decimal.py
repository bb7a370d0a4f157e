import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from swarmscope.model.staleness import NORMAL_NAN_BITS, STALE_BITS
from swarmscope.schema.tables import RAW_EXPONENT
from swarmscope.store.embedded.decimal import decode_decimals, encode_decimals


def round_trip(values):
    values = np.asarray(values, np.float64)
    mantissa, exponent = encode_decimals(values, np.zeros(len(values), np.uint32), np.zeros(1, np.int8))
    return mantissa, exponent, decode_decimals(mantissa, exponent)


@given(arrays(np.uint64, st.integers(0, 50)))
def test_every_bit_pattern_survives(bits):
    _, _, back = round_trip(bits.view(np.float64))
    assert (back.view(np.uint64) == bits).all()


@given(st.lists(st.decimals(-(10**9), 10**9, places=3, allow_nan=False).map(float), max_size=50))
def test_short_decimals_survive_as_decimals(values):
    _, exponent, back = round_trip(values)
    assert back.tolist() == values
    assert (exponent != RAW_EXPONENT).all()


def test_markers_and_signed_zero_keep_their_bits():
    bits = np.array([STALE_BITS, NORMAL_NAN_BITS, 1 << 63, 0x7FF0000000000000, 0xFFF0000000000000], np.uint64)
    _, exponent, back = round_trip(bits.view(np.float64))
    assert back.view(np.uint64).tolist() == bits.tolist()
    assert exponent.tolist() == [RAW_EXPONENT] * 5


def test_a_series_keeps_its_exponent_so_that_neighbours_compare():
    mantissa, exponent, _ = round_trip([1.25, 3.0, 2.5, 7.0])
    assert exponent.tolist() == [-2, -2, -2, -2]
    assert mantissa.tolist() == [125, 300, 250, 700]


def test_integers_need_no_exponent():
    mantissa, exponent, _ = round_trip([0.0, 17.0, -4.0, 9007199254740991.0])
    assert exponent.tolist() == [0, 0, 0, 0]
    assert mantissa.tolist() == [0, 17, -4, 9007199254740991]
