"""Slices of time against lines in a list: every line in exactly one slice, in order, and no slice much too large."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.schema.log_tables import COUNT_GRAIN_NS
from swarmscope.store.embedded.logs.slices import Appetite, walk_slices
from tests.portion import portion


def counter(times, calls):
    def count(start_ns, end_ns):
        calls.append((start_ns, end_ns))
        assert start_ns % COUNT_GRAIN_NS == end_ns % COUNT_GRAIN_NS == 0
        inside = times[(times > start_ns) & (times <= end_ns)]
        return np.unique(-(-inside // COUNT_GRAIN_NS) * COUNT_GRAIN_NS, return_counts=True)

    return count


def slices_of(times, range_ns, backward, batch_lines, share=1.0):
    """Slices, and how many lines of `times` each has."""
    appetite = Appetite(batch_lines)
    calls, out = [], []
    for each in walk_slices(counter(times, calls), range_ns, appetite, backward=backward):
        n = int(((times >= each.start_ns) & (times < each.end_ns)).sum())
        out.append((each.start_ns, each.end_ns, n))
        appetite.learn(each.lines, int(n * share))
    return out, calls


def check(times, range_ns, backward, batch_lines, share=1.0):
    slices, calls = slices_of(times, range_ns, backward, batch_lines, share)
    inside = times[(times >= range_ns[0]) & (times < range_ns[1])]
    assert sum(n for _, _, n in slices) == len(inside)
    for (a, b, _), (c, d, _) in zip(slices, slices[1:], strict=False):
        assert a < b
        assert (d <= a) if backward else (b <= c)
    return slices, calls


@settings(max_examples=portion(300, 100), deadline=None)
@given(
    st.lists(st.one_of(st.integers(0, 10**15), st.integers(0, 40).map(lambda k: k * COUNT_GRAIN_NS)), max_size=60),
    st.tuples(st.integers(-5, 10**15), st.integers(-5, 10**15)),
    st.booleans(),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.3, 1.0]),
)
def test_every_line_is_in_one_slice(times, range_ns, backward, batch_lines, share):
    check(np.array(sorted(times), np.int64), (min(range_ns), max(range_ns)), backward, batch_lines, share)


@pytest.mark.parametrize("backward", [True, False])
def test_dense_lines_are_cut_within_a_bucket(backward):
    times = np.arange(0, 100 * COUNT_GRAIN_NS, COUNT_GRAIN_NS // 10_000)  # a million lines, 10,000 in a bucket
    slices, _ = slices_of(times, (0, int(times[-1]) + 1), backward, 1000)
    # Forward, the instant 0 is a bucket of its own.
    assert 1000 <= slices[0][2] + (not backward) * slices[1][2] <= 3000
    assert max(n for _, _, n in slices) <= 250_000
    check(times, (0, int(times[-1]) + 1), backward, 1000)


@pytest.mark.parametrize("backward", [True, False])
def test_sparse_lines_need_few_looks(backward):
    year_ns = 365 * 86_400 * 10**9
    times = np.array([year_ns // 2], np.int64)
    slices, calls = check(times, (0, year_ns), backward, 1000)
    assert len(slices) == 1
    assert len(calls) < 12


def test_a_rare_text_makes_slices_longer():
    times = np.arange(0, 1000 * COUNT_GRAIN_NS, COUNT_GRAIN_NS // 1000)
    none, _ = slices_of(times, (0, int(times[-1]) + 1), True, 1000, share=0.0)
    every, _ = slices_of(times, (0, int(times[-1]) + 1), True, 1000)
    assert len(none) <= 6 < len(every)
