"""The process that measures: answers, failures, and its end."""

import threading
import time

import pytest

from swarmscope.intelligence.computer import (
    ComputationBusyError,
    ComputationEndedError,
    ComputationFailedError,
    Computer,
)
from swarmscope.intelligence.measurement import DeclaredModel, Measurement, Measuring
from swarmscope.model.errors import UnavailableError

COPIES = DeclaredModel([[0, 0], [0, 1], [1, 0], [1, 1]], None, [1, 0])  # each copies the other
PATIENCE_S = 300.0


@pytest.fixture(scope="module")
def computer():
    made = Computer()
    yield made
    made.close()


def of_model(model, integration_type="ei_mip"):
    return Measurement("phi", Measuring(integration_type=integration_type), model=model)


def test_a_model_is_measured_in_another_process(computer):
    (found,) = computer.measure(of_model(COPIES), PATIENCE_S).results
    assert (found["value"], found["integration_type"], found["n_units"]) == (pytest.approx(2), "ei_mip", 2)
    assert type(found["value"]) is float


def test_what_is_wrong_is_told_and_the_process_goes_on(computer):
    with pytest.raises(ComputationFailedError, match="row 1, unit 0 is 3"):
        computer.measure(of_model(COPIES._replace(tpm=[[0, 0], [3, 1], [1, 0], [1, 1]])), PATIENCE_S)
    assert computer.measure(of_model(COPIES), PATIENCE_S).results


def test_what_takes_too_long_is_ended_and_others_are_measured_then(computer):
    n = 8
    hard = DeclaredModel([[((s * 31 + i * 17) % 97) / 97 for i in range(n)] for s in range(1 << n)], None, [0] * n)
    told = []
    with pytest.raises(ComputationEndedError, match="too long"):
        computer.measure(of_model(hard, "iit_3.0"), 4, progress=told.append)
    cancelled = threading.Event()
    threading.Timer(1, cancelled.set).start()
    with pytest.raises(ComputationEndedError, match="nobody waits"):
        computer.measure(of_model(hard, "iit_3.0"), PATIENCE_S, cancelled=cancelled.is_set)
    assert computer.measure(of_model(COPIES), PATIENCE_S).results


def test_it_ends_with_the_program():
    made = Computer()
    made.measure(of_model(COPIES), PATIENCE_S)
    process = made._process
    made.close()
    assert process.poll() is not None
    with pytest.raises(UnavailableError):
        made.measure(of_model(COPIES), PATIENCE_S)


def test_a_process_that_rested_is_made_anew():
    made = Computer()
    made.measure(of_model(COPIES), PATIENCE_S)
    first = made._process
    made._used_s -= 3600
    made.measure(of_model(COPIES), PATIENCE_S)
    assert first.poll() is not None
    assert made._process is not first
    made.close()


def test_few_may_wait():
    made = Computer(max_waiting=1)

    def wait():
        with pytest.raises(ComputationEndedError):
            made.measure(of_model(COPIES), 2)

    with made._turn:
        waiting = threading.Thread(target=wait)
        waiting.start()
        while made._waiting.acquire(blocking=False):
            made._waiting.release()
            time.sleep(0.01)
        with pytest.raises(ComputationBusyError):
            made.measure(of_model(COPIES), 60)
        waiting.join()


def test_waiting_for_a_turn_ends(computer):
    with computer._turn:
        began = time.monotonic()
        with pytest.raises(ComputationEndedError, match="others"):
            computer.measure(of_model(COPIES), 0.5)
        assert time.monotonic() - began < 60
