import math
import threading
import time

import pytest

from swarmscope.model.contracts import ReadBudget
from swarmscope.model.errors import (
    LimitExceededError,
    QueryCancelledError,
    QueryFailedError,
    QueryTimeoutError,
    UnavailableError,
)
from swarmscope.query.deadlines import Deadline
from swarmscope.store.embedded import engine as engine_module
from swarmscope.store.embedded.engine import Engine

ENDLESS = "SELECT sum(sipHash64(number)) AS s FROM numbers(100000000000)"
LARGE = "SELECT length(groupArray(number)) AS n FROM numbers(10000000)"


@pytest.fixture
def engine(tmp_path):
    made = Engine(tmp_path / "data", max_memory_bytes=1 << 30, readers=1, backups=tmp_path)
    yield made
    made.close()


class Unhurried:
    remaining_s = math.inf

    def check(self):
        pass


def budget(timeout_s=60.0, **limits):
    return ReadBudget(Deadline(timeout_s), 10**9, **limits)


def answer(engine, given=None):
    return engine.columns("SELECT toInt64(7) AS n", given)["n"].tolist()


def test_a_statement_ends_when_the_client_goes_away(engine):
    given = budget()
    threading.Timer(0.3, given.cancellation.cancel).start()
    with pytest.raises(QueryCancelledError):  # it would go on for hours
        engine.columns(ENDLESS, given)
    assert answer(engine, budget()) == [7]


def test_a_statement_ends_when_the_time_is_up(engine):
    with pytest.raises(QueryTimeoutError):  # it would go on for hours
        engine.columns(ENDLESS, budget(0.3))


def test_a_statement_keeps_to_its_querys_memory(engine):
    with pytest.raises(LimitExceededError) as caught:
        engine.columns(LARGE, budget(max_bytes=20_000_000))
    assert caught.value.limit == "limits.max_query_memory"
    assert engine.columns(LARGE, budget(max_bytes=900_000_000))["n"].tolist() == [10_000_000]


def test_only_the_ended_query_is_ended(tmp_path):
    lasting = Engine(tmp_path / "data", max_memory_bytes=1 << 30, readers=2, backups=tmp_path)
    try:
        ended, results = budget(0.2), []
        sql = "SELECT sum(sleepEachRow(0.1)) AS s FROM numbers(10) SETTINGS max_block_size = 1"
        other = threading.Thread(target=lambda: results.append(lasting.table(sql, add_settings=False).num_rows))
        other.start()
        with pytest.raises(QueryTimeoutError):
            lasting.columns(ENDLESS, ended)
        other.join()
        assert results == [1]
    finally:
        lasting.close()


@pytest.fixture
def busy(engine):
    """The engine while its only connection is taken."""
    holding = budget()

    def hold():
        with pytest.raises(QueryCancelledError):
            engine.columns(ENDLESS, holding)

    thread = threading.Thread(target=hold)
    thread.start()
    while not engine._readers.empty():
        time.sleep(0.005)
    yield engine
    holding.cancellation.cancel()
    thread.join()


def test_waiting_for_a_connection_ends_with_the_time(busy):
    with pytest.raises(QueryTimeoutError, match=r"all 1 connections to the store are busy \(storage\.readers\)"):
        answer(busy, budget(0.2))


def test_waiting_for_a_connection_ends_with_the_client(busy):
    given = budget()
    threading.Timer(0.1, given.cancellation.cancel).start()
    with pytest.raises(QueryCancelledError):
        answer(busy, given)


def test_without_a_query_waiting_for_a_connection_ends_too(busy, monkeypatch):
    monkeypatch.setattr(engine_module, "_LONGEST_WAIT_S", 0.1)
    with pytest.raises(UnavailableError, match="are busy"):
        answer(busy)


def test_no_limit_of_time_is_no_limit(engine):
    assert answer(engine, ReadBudget(Unhurried(), 1)) == [7]
    with pytest.raises(QueryFailedError, match="the store failed"):
        engine.columns("SELECT nothing", budget())


def test_writers_go_on_beside_an_administrator_who_ends_with_the_store(engine):
    engine.execute("CREATE TABLE numbers_kept (n UInt64) ENGINE = MergeTree ORDER BY n")
    ended = []

    def administer():
        with pytest.raises(QueryCancelledError):
            engine.administer(f"INSERT INTO numbers_kept {ENDLESS}")  # it would go on for hours
        ended.append(True)

    thread = threading.Thread(target=administer)
    thread.start()
    asked = "SELECT count() AS n FROM system.processes WHERE query LIKE 'INSERT INTO numbers_kept SELECT sum%'"
    while engine.columns(asked)["n"].tolist() != [1]:
        time.sleep(0.01)
    engine.execute("INSERT INTO numbers_kept VALUES (7)")
    assert not ended
    assert engine.columns("SELECT n FROM numbers_kept")["n"].tolist() == [7]
    engine.stop_administration()
    thread.join(30)
    assert ended
    with pytest.raises(QueryCancelledError):
        engine.administer("OPTIMIZE TABLE numbers_kept")


def test_a_statement_of_an_administrator_says_what_fails(engine):
    with pytest.raises(QueryFailedError, match="nothing_there"):
        engine.administer("OPTIMIZE TABLE nothing_there")


def test_closing_ends_what_an_administrator_runs(tmp_path):
    engine = Engine(tmp_path / "other", max_memory_bytes=1 << 30, readers=1, backups=tmp_path)
    ended = threading.Event()

    def administer():
        with pytest.raises(QueryCancelledError):
            engine.administer(ENDLESS)
        ended.set()

    threading.Thread(target=administer).start()
    while engine.columns("SELECT count() AS n FROM system.processes WHERE query LIKE 'SELECT sum(sip%'")["n"][0] != 1:
        time.sleep(0.01)
    engine.close()
    assert ended.wait(30)
