"""Deletion of lines: what is gone, what stays, and that the counts say the same."""

import pytest

from swarmscope.model.logs import LineRequest
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.store.embedded.logs.administration import LogAdministration
from tests.store.embedded.conftest import budget
from tests.store.embedded.logs.log_cases import EVER, T_NS, S, entry, in_order, log_batch, scanned
from tests.store.embedded.logs.test_counts import counted

A, B = {"app": "a"}, {"app": "b"}
ENTRIES = [entry(A, T_NS + k * 4 * S, f"line {k}", level=k % 3) for k in range(20)]
ENTRIES += [entry(B, T_NS + k * S, f"other {k}") for k in range(3)]
IS_A = Matcher("app", MatchOperator.EQUAL, "a")


@pytest.fixture(params=["one part", "part per line"])
def filled(request, store):
    for part in [ENTRIES] if request.param == "one part" else [[each] for each in ENTRIES]:
        store.log_sink.write_logs(log_batch(part))
        if request.param == "part per line":
            assert store.logs.flush()
    return store


def expected_counts(entries):
    found = {}
    for each in entries:
        bucket = -(-each["ts_ns"] // (10 * S)) * 10 * S
        key = (each["labels"]["app"], each.get("level", 0), bucket)
        lines, size = found.get(key, (0, 0))
        found[key] = (lines + 1, size + len(each["line"]))
    return found


def test_a_range_is_deleted(filled):
    LogAdministration(filled.logs).delete_lines("default", [IS_A], T_NS + 5 * S, T_NS + 20 * S)
    left = [each for each in ENTRIES if each["labels"] is B or not 5 * S <= each["ts_ns"] - T_NS < 20 * S]
    assert len(left) == len(ENTRIES) - 3  # 8, 12 and 16 s
    assert scanned(filled) == in_order(left)
    assert counted(filled, "app") == expected_counts(left)


def test_single_rows_are_deleted(filled):
    reader = filled.log_reader
    selection = reader.select_streams("default", [IS_A], *EVER)
    request = LineRequest(T_NS + 4 * S, T_NS + 9 * S)
    administration = LogAdministration(filled.logs)
    assert filled.logs.flush()
    batches = list(reader.scan_lines(selection, request, budget()))
    assert administration.delete_rows(selection, batches) == 2
    left = [each for each in ENTRIES if each["line"] not in ("line 1", "line 2")]
    assert scanned(filled) == in_order(left)
    assert counted(filled, "app") == expected_counts(left)


def test_a_stream_without_lines_is_forgotten_and_may_come_again(filled):
    administration = LogAdministration(filled.logs)
    administration.delete_lines("default", [IS_A], *EVER)
    assert filled.log_reader.label_values("default", "app", [], *EVER) == ["b"]
    administration.clean_tombstones()
    filled.log_sink.write_logs(log_batch(ENTRIES[:2]))  # the very lines that were deleted
    assert scanned(filled) == in_order([*ENTRIES[:2], *ENTRIES[20:]])
