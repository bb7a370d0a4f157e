"""Every row once, whatever the split; what fails in a thread fails outside."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmscope.query.promql.threads import MIN_PARALLEL_CELLS, WAVE_CELLS, run_rows, run_slices


@given(st.integers(0, 50), st.sampled_from([0, MIN_PARALLEL_CELLS, 3 * WAVE_CELLS]))
def test_every_row_once(n_rows: int, n_cells: int) -> None:
    seen = np.zeros(n_rows, np.int64)

    def work(first: int, past: int) -> None:
        seen[first:past] += 1

    run_rows(n_rows, n_cells, work)
    assert (seen == 1).all()


@pytest.mark.parametrize("bad_row", [0, 99])
def test_failures_come_out(bad_row: int) -> None:
    def work(first: int, past: int) -> None:
        if first <= bad_row < past:
            raise ValueError("kernel")

    with pytest.raises(ValueError, match="kernel"):
        run_rows(100, MIN_PARALLEL_CELLS, work)


def test_long_work_is_asked_whether_to_end() -> None:
    done: list[int] = []

    def check() -> None:
        if len(done) >= 2:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        run_rows(100, 50 * WAVE_CELLS, lambda first, past: done.append(past - first), check)
    assert sum(done) < 100


@given(st.integers(0, 9), st.integers(0, 40), st.sampled_from([0, MIN_PARALLEL_CELLS, 5 * WAVE_CELLS, 90 * WAVE_CELLS]))
def test_every_cell_once(n_rows: int, n_steps: int, n_cells: int) -> None:
    seen = np.zeros((n_rows, n_steps), np.int64)

    def work(rows: slice, steps: slice) -> None:
        assert rows.stop - rows.start == 1 or (steps.start, steps.stop) == (0, n_steps)
        seen[rows, steps] += 1

    run_slices((n_rows, n_steps), n_cells, work)
    assert (seen == 1).all()


def test_a_single_long_row_is_asked_whether_to_end() -> None:
    done: list[int] = []

    def check() -> None:
        if len(done) >= 4:
            raise TimeoutError

    with pytest.raises(TimeoutError):
        run_slices((1, 1000), 50 * WAVE_CELLS, lambda _rows, steps: done.append(steps.stop - steps.start), check)
    assert 0 < sum(done) < 1000
