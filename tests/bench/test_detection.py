"""What goes wrong in the demo fleet is found, and nothing else: on seeds that no threshold was chosen by."""

from __future__ import annotations

import pytest
from bench.detection import KINDS, Replay, Score, score, simulate

from tests.portion import portion

FIRST_SEED, SECONDS = 101, 620
WANTED = 0.95


@pytest.mark.slow
def test_faults_are_found() -> None:
    sums = {fault: Score() for fault in KINDS}
    for seed in range(FIRST_SEED, FIRST_SEED + portion(20, 3)):
        story = simulate(seed, SECONDS)
        for fault, each in score(story, Replay().run(story)).items():
            sums[fault] += each
    told = {fault: (each.precision, each.recall, each.words) for fault, each in sums.items()}
    assert all(each.n_injected for each in sums.values()), told
    assert all(each.precision >= WANTED and each.recall >= WANTED for each in sums.values()), told
